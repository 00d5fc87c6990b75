"""What all our relays of connections (nginx, stream) begin with. Pure."""


def head(*own: str, connect: str = "5s") -> str:
    """The configuration up to the first server. `own` are directives of this relay alone; `connect` is how long
    whoever it leads to may take.

    Silence ends nothing for a day: MQTT clients, installs and websockets are silent for long.
    """
    lines = "".join(f"{line}\n" for line in own)
    return f"""\
include /etc/nginx/modules-enabled/*.conf;
{lines}worker_processes 1;
worker_rlimit_nofile 4096;
error_log stderr notice;

events {{
    worker_connections 2048;
}}

stream {{
    access_log off;
    proxy_timeout 24h;
    proxy_connect_timeout {connect};
    proxy_socket_keepalive on;
    tcp_nodelay on;
"""
