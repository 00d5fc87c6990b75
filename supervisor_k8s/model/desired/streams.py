"""What all our relays of connections (nginx, stream) begin with. Pure."""


def head(*own: str, files: int = 4096, connections: int = 2048, connect: str = "5s") -> str:
    """The configuration up to the first server. `own` are directives of this relay alone; `files` and `connections`
    are what its worker may have open, two of each for a connection that it carries; `connect` is how long whoever it
    leads to may take.

    Silence ends nothing for a day: MQTT clients, installs and websockets are silent for long.
    """
    lines = "".join(f"{line}\n" for line in own)
    return f"""\
include /etc/nginx/modules-enabled/*.conf;
{lines}worker_processes 1;
worker_rlimit_nofile {files};
error_log stderr notice;

events {{
    worker_connections {connections};
}}

stream {{
    access_log off;
    proxy_timeout 24h;
    proxy_connect_timeout {connect};
    proxy_socket_keepalive on;
    tcp_nodelay on;
"""
