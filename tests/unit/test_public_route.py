"""A public address for Home Assistant: the objects in the README, which are those that the Supervisor makes; and what
it says while they do not work.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from supervisor_k8s.cluster.routes import take_back
from supervisor_k8s.errors import ClusterRefusedError, ClusterUnavailableError
from supervisor_k8s.model.desired.core import core_services
from supervisor_k8s.model.desired.link import CorePort
from supervisor_k8s.model.desired.public_route import PublicChoice, public_objects
from supervisor_k8s.model.naming import owner_selector
from supervisor_k8s.reconcile import Reconciler
from supervisor_k8s.remote.certificates import why_unfit
from supervisor_k8s.services.public_route import PublicRoute
from tests import builders, golden
from tests.fakes import FakeCluster
from tests.settings_table import README
from tests.told import Told

PATIENCE = 20.0
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOST, SECRET = "ha.example.com", "ha-example-com-tls"
CHOICE = PublicChoice(wanted=True, gateway_class="your-class", hostname=HOST, secret=SECRET)
GATEWAY, REDIRECT, ROUTE = (
    ("Gateway", "home-assistant"),
    ("HTTPRoute", "home-assistant-redirect"),
    ("HTTPRoute", "home-assistant"),
)


def documented() -> tuple[Any, list[Any]]:
    """The Gateway and the HTTPRoutes."""
    text = README.read_text().split("<!-- gateway -->\n```yaml\n")[1].split("```\n<!-- /gateway -->")[0]
    gateway, *routes = yaml.safe_load_all(text)
    assert [gateway["kind"], *(route["kind"] for route in routes)] == ["Gateway", "HTTPRoute", "HTTPRoute"]
    return gateway, routes


def test_routes_hang_on_listeners_of_the_gateway() -> None:
    """One redirects from 80, the other one serves at 443; each is in the Gateway's namespace."""
    gateway, routes = documented()
    listeners = {listener["name"]: listener for listener in gateway["spec"]["listeners"]}
    assert {name: (item["port"], item["protocol"]) for name, item in listeners.items()} == {
        "http": (80, "HTTP"),
        "https": (443, "HTTPS"),
    }
    parents = [route["spec"]["parentRefs"] for route in routes]
    name = gateway["metadata"]["name"]
    assert parents == [[{"name": name, "sectionName": "http"}], [{"name": name, "sectionName": "https"}]]
    assert {route["metadata"]["namespace"] for route in routes} == {gateway["metadata"]["namespace"]}


def test_the_route_leads_to_cores_service_whatever_its_port() -> None:
    """By a port that is always there; neither websockets nor uploads are cut."""
    _, (_, route) = documented()
    (rule,) = route["spec"]["rules"]
    (backend,) = rule["backendRefs"]
    for number in (80, 8123, 8124):
        service, _ = core_services(CorePort(number, tls=False), builders.site())
        assert backend["name"] == service["metadata"]["name"]
        assert backend["port"] in {port["port"] for port in service["spec"]["ports"]}
    assert rule["timeouts"] == {"request": "0s", "backendRequest": "0s"}


def test_the_supervisor_makes_what_is_documented() -> None:
    """Whoever switches from one to the other has the same objects, but for labels."""
    gateway, routes = documented()
    made = public_objects(CHOICE, builders.site())
    golden.check("public-route/objects.yaml", golden.manifests(made))
    bare = [{**item, "metadata": {key: item["metadata"][key] for key in ("name", "namespace")}} for item in made]
    assert bare == [gateway, *routes]


def test_without_a_host_name_any_is_let_in() -> None:
    """Neither listeners nor the route name one."""
    made = public_objects(PublicChoice(wanted=True, gateway_class="c", secret="s"), builders.site())
    assert "hostname" not in golden.manifests(made)


@pytest.mark.parametrize("choice", [PublicChoice(), PublicChoice(wanted=True, gateway_class="c")])
def test_nothing_is_made_that_is_not_wanted_or_cannot_be(choice: PublicChoice) -> None:
    """Without a certificate there would be no TLS to end."""
    assert public_objects(choice, builders.site()) == ()


# --- the certificate -------------------------------------------------------------------------------------------------


def certificate(*names: str, begins: datetime = NOW - timedelta(days=1), days: int = 90) -> bytes:
    """PEM, by nobody in particular."""
    key = ec.generate_private_key(ec.SECP256R1())
    whoever = x509.Name([])
    builder = x509.CertificateBuilder(whoever, whoever, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(begins + timedelta(days=days))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("names", "host"),
    [
        ((HOST,), HOST),
        (("*.example.com",), "HA.example.com"),
        (("*.example.com",), "*.example.com"),
        (("other.example.com",), None),
    ],
)
def test_a_certificate_that_fits(names: tuple[str, ...], host: str | None) -> None:
    """By name or by wildcard; without a host name any does."""
    assert why_unfit(certificate(*names), host, NOW) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (certificate("a.example.com", "b.example.com"), "for a.example.com, b.example.com, and not for ha.example.com"),
        (certificate("*.com"), "for *.com, and not"),
        (certificate(), "for no host name"),
        (certificate(HOST, days=1), "ended on 2026-11-21"),
        (certificate(HOST, begins=NOW + timedelta(days=3)), "begins on 2026-11-24"),
        (b"no certificate", "holds no certificate"),
    ],
    ids=["others", "too wide", "nobody", "ended", "not yet", "none"],
)
def test_a_certificate_that_does_not(given: bytes, words: str) -> None:
    """It is said what is wrong with it."""
    assert words in (why_unfit(given, HOST, NOW) or "")


# --- the service -----------------------------------------------------------------------------------------------------


class House:
    """The service with a reconciler of its own."""

    def __init__(self, choice: PublicChoice = CHOICE) -> None:
        self.cluster = FakeCluster()
        self.told = Told()
        self.reconciler = Reconciler(
            cluster=self.cluster, render=lambda _: self.route.workload(), key_of=lambda _: "public"
        )
        self.route = PublicRoute(
            cluster=self.cluster,
            choice=choice,
            site=builders.site(),
            converge=self.reconciler.converge,
            poke=self.reconciler.poke,
            faults=lambda: self.told,
            clock=lambda: NOW,
            patience=0.05,
            again=0.2,
        )
        self.cluster.subscribe(self.route.on_change)
        self.cluster.on_serving(self.route.on_serving)

    @asynccontextmanager
    async def living(self) -> AsyncIterator["House"]:
        self.reconciler.poke("public")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run()) for run in (self.reconciler.run, self.route.run)]
            yield self
            for task in tasks:
                task.cancel()

    def put_certificate(self, pem: bytes) -> None:
        text = base64.b64encode(pem).decode()
        self.cluster.put({"kind": "Secret", "metadata": {"name": SECRET}, "data": {"tls.crt": text, "tls.key": text}})

    def say(self, what: tuple[str, str], status: Mapping[str, Any]) -> None:
        """What its controller writes."""
        live = self.cluster.get(*what)
        assert live is not None
        self.cluster.put({**live, "status": status})

    async def made(self) -> None:
        await self.cluster.until(lambda: all(map(self._is_there, (GATEWAY, REDIRECT, ROUTE))) or None, within=PATIENCE)

    def works(self) -> None:
        """All controllers are content."""
        self.put_certificate(certificate(HOST))
        self.say(GATEWAY, {"conditions": conditions(Accepted=True, Programmed=True)})
        for route in (REDIRECT, ROUTE):
            self.say(route, {"parents": [{"conditions": conditions(Accepted=True, ResolvedRefs=True)}]})

    def _is_there(self, what: tuple[str, str]) -> bool:
        return self.cluster.get(*what) is not None


def conditions(reason: str = "Because", message: str = "so it is", **values: bool) -> list[dict[str, Any]]:
    return [
        {"type": name, "status": str(value), "reason": reason, "message": message} for name, value in values.items()
    ]


async def test_what_does_not_work_is_an_issue_until_it_works() -> None:
    """Nobody has taken the Gateway up, there is no certificate: each is told, and vanishes."""
    async with House().living() as house:
        await house.made()
        await house.told.becomes({"Gateway home-assistant": "nobody in", f"Secret {SECRET}": "does not exist"})
        house.put_certificate(certificate("other.example.com"))
        await house.told.becomes({"Gateway home-assistant": "nobody in", f"Secret {SECRET}": "and not for"})
        house.works()
        await house.told.becomes({})


async def test_what_controllers_say_is_told() -> None:
    """A listener without a certificate, then a route whose Service is not there; in their words."""
    async with House().living() as house:
        await house.made()
        house.works()
        listener = {"name": "https", "conditions": conditions("InvalidCertificateRef", "no such", ResolvedRefs=False)}
        good = {"conditions": conditions(Accepted=True, Programmed=True)}
        house.say(GATEWAY, {**good, "listeners": [listener]})
        await house.told.becomes({"Gateway home-assistant": "https: no such (InvalidCertificateRef)"})
        house.say(GATEWAY, good)
        house.say(
            ROUTE, {"parents": [{"conditions": conditions("BackendNotFound", Accepted=True, ResolvedRefs=False)}]}
        )
        await house.told.becomes({"HTTPRoute home-assistant": "so it is (BackendNotFound)"})


async def test_a_cluster_without_the_gateway_api() -> None:
    """It is said, once; as soon as the cluster has it, everything is made, and the issue is gone."""
    house = House()
    for kind in ("Gateway", "HTTPRoute"):
        house.cluster.not_served[kind] = "the cluster does not serve it"
    house.put_certificate(certificate(HOST))
    async with house.living():
        await house.told.becomes({"Gateway API": "the cluster does not serve it"})
        assert house.cluster.calls == []
        for kind in ("Gateway", "HTTPRoute"):
            house.cluster.serve(kind)
        await house.made()
        house.works()
        await house.told.becomes({})


async def test_somebody_elses_object_of_the_name_is_left_alone() -> None:
    """What the cluster says to ours is told."""
    house = House()
    house.cluster.refused["Gateway"] = "Gateway home-assistant exists and is not ours"
    house.put_certificate(certificate(HOST))
    async with house.living():
        await house.told.becomes({"Gateway home-assistant": "exists and is not ours"})


async def test_an_outage_settles_nothing() -> None:
    """What was wrong before stays told until somebody knows better."""
    async with House().living() as house:
        await house.made()
        await house.told.becomes({"Gateway home-assistant": "nobody in", f"Secret {SECRET}": "does not exist"})
        changes = house.told.changes
        house.cluster.fail("read", ClusterUnavailableError("nobody answers"))
        async with asyncio.timeout(PATIENCE):
            while house.cluster.fails("read"):
                await asyncio.sleep(0.01)
        assert len(house.told.faults) == 2
        house.put_certificate(certificate(HOST))
        await house.told.becomes({"Gateway home-assistant": "nobody in"})
        assert house.told.changes == changes + 1


async def test_settings_that_are_missing() -> None:
    """Nothing is made, and the issue names them."""
    async with House(PublicChoice(wanted=True)).living() as house:
        await house.told.becomes(
            {"SUPERVISOR_K8S_MANAGE_PUBLIC_GATEWAY": "GATEWAY_CLASS and SUPERVISOR_K8S_GATEWAY_TLS_SECRET"}
        )
        assert house.cluster.everything() == {}


async def test_what_is_not_wanted_any_more_is_taken_back() -> None:
    """Ours; what we may not remove hinders nothing."""
    cluster = FakeCluster()
    made = [{**item, "metadata": {**item["metadata"], "uid": "u"}} for item in public_objects(CHOICE, builders.site())]
    for live in made:
        cluster.put(live)
        assert owner_selector().items() <= live["metadata"]["labels"].items()
    cluster.unwatched = [*cluster.everything().values()]
    cluster.fail("delete", ClusterRefusedError("you may not"))
    await take_back(cluster)
    assert len(cluster.everything()) == 1
    await take_back(cluster)
