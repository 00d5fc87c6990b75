"""cluster/credentials.py: a pod's service account, as kubelet lays it out and renews it; and whom else it is shown."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.credentials import Credentials
from supervisor_k8s.cluster.kubelets import Kubelets
from supervisor_k8s.errors import ClusterError, ClusterUnavailableError

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
DECADE = dt.timedelta(days=3650)
VARIABLES = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@dataclass
class ApiServer:
    """Accepts one token at a time; remembers the ones it saw."""

    folder: Path
    right: str = "one"
    seen: list[str] = field(default_factory=list)
    client: Client = field(init=False)
    authority: "Pair" = field(init=False)

    async def answer(self, request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.seen.append(token)
        return web.json_response({"message": "no"}, status=200 if token == self.right else 401)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    """An API server whose authority is as plain as those of old clusters: no key identifiers, no usages."""
    made = ApiServer(tmp_path)
    made.authority = certificate("old cluster", None)
    (tmp_path / "ca.crt").write_bytes(made.authority[0].public_bytes(serialization.Encoding.PEM))
    (tmp_path / "token").write_text("one")
    async with serving(tmp_path, made.answer, signed_by=made.authority) as port:
        variables = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
        made.client = Client(Credentials.of_pod(variables, tmp_path))
        yield made
        await made.client.close()


type Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]
type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(folder: Path, answer: Handler, *, signed_by: Pair) -> AsyncIterator[int]:
    """A server on 127.0.0.1, with TLS; gives its port."""
    own, own_key = certificate("127.0.0.1", signed_by)
    pair = folder / f"pair-{own.serial_number}.pem"
    private = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = serialization.Encoding.PEM
    pair.write_bytes(own.public_bytes(pem) + own_key.private_bytes(pem, *private))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair)
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    listening = TestServer(app, scheme="https")
    await listening.start_server(ssl=tls)
    assert listening.port is not None
    yield listening.port
    await listening.close()


def certificate(name: str, issuer: Pair | None) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[0].subject if issuer else subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW - DECADE).not_valid_after(NOW + DECADE)
    if issuer is None:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    else:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


async def test_rotated_token(server: ApiServer) -> None:
    """A token that the API server does not know any more is read anew for the next try; one that works is kept."""
    await server.client.request("GET", "/x")
    server.right = "two"
    (server.folder / "token").write_text("two")
    with pytest.raises(ClusterUnavailableError):
        await server.client.request("GET", "/x")
    await server.client.request("GET", "/x")
    assert server.seen == ["one", "one", "two"]


async def test_no_token(server: ApiServer) -> None:
    """A token that has to be looked at again and cannot be read is an outage: kubelet writes it again."""
    server.right = "two"
    (server.folder / "token").unlink()
    for _ in range(2):
        with pytest.raises(ClusterUnavailableError):
            await server.client.request("GET", "/x")
    (server.folder / "token").write_text("two")
    await server.client.request("GET", "/x")


def test_no_pod(tmp_path: Path) -> None:
    """Outside of a pod, and in one without a service account, it is said what is missing."""
    with pytest.raises(ClusterError, match="is this a pod\\? Service host/port is not set"):
        Credentials.of_pod({}, tmp_path)
    with pytest.raises(ClusterError, match=r"token file does not exist"):
        Credentials.of_pod(VARIABLES, tmp_path)


async def test_unreadable_authority(tmp_path: Path) -> None:
    """A certificate authority that is none is named as such."""
    (tmp_path / "token").write_text("one")
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n")
    with pytest.raises(ClusterError, match="certificate authority cannot be used"):
        Client(Credentials.of_pod(VARIABLES, tmp_path))


def test_address(tmp_path: Path) -> None:
    """An IPv6 address of the API server is written as addresses in URLs are."""
    (tmp_path / "token").write_text("one")
    (tmp_path / "ca.crt").write_text("any")
    variables = {**VARIABLES, "KUBERNETES_SERVICE_HOST": "fd00::1"}
    assert Credentials.of_pod(variables, tmp_path).configuration.host == "https://[fd00::1]:443"


POD = {"metadata": {"uid": "u1"}, "status": {"hostIP": "127.0.0.1"}}
SUMMARY = {"pods": [{"podRef": {"uid": "u0"}}, {"podRef": {"uid": "u1"}, "containers": []}]}


@dataclass
class Kubelet:
    """Tells its summary; remembers who asked."""

    seen: list[tuple[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append((request.path, request.headers["Authorization"]))
        return web.json_response(SUMMARY)


async def test_a_kubelet_that_the_cluster_vouches_for(server: ApiServer) -> None:
    """It gets our token, and is asked once for all its pods; a pod that it does not know was not measured."""
    kubelet = Kubelet()
    async with serving(server.folder, kubelet.answer, signed_by=server.authority) as port:
        kubelets = Kubelets(client=server.client, may_ask=yes, port=port)
        assert await kubelets.measured(POD) == SUMMARY["pods"][1]
        assert await kubelets.measured({**POD, "metadata": {"uid": "u2"}}) is None
        assert await kubelets.measured({"metadata": {"uid": "u1"}, "status": {}}) is None
    assert kubelet.seen == [("/stats/summary", "Bearer one")]


async def test_a_kubelet_that_nobody_vouches_for(server: ApiServer) -> None:
    """It never sees our token; nor is it asked again at once."""
    kubelet = Kubelet()
    async with serving(server.folder, kubelet.answer, signed_by=certificate("itself", None)) as port:
        kubelets = Kubelets(client=server.client, may_ask=yes, port=port)
        with pytest.raises(ClusterUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            await kubelets.measured(POD)
        assert await kubelets.measured(POD) is None
    assert kubelet.seen == []


async def test_no_right_to_ask_kubelets(server: ApiServer) -> None:
    """Then none is asked."""
    kubelet = Kubelet()
    async with serving(server.folder, kubelet.answer, signed_by=server.authority) as port:
        assert await Kubelets(client=server.client, may_ask=no, port=port).measured(POD) is None
    assert kubelet.seen == []


async def yes() -> bool:
    return True


async def no() -> bool:
    return False
