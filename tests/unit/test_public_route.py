"""The objects for a Gateway in the README fit one another, and what the Supervisor makes."""

from typing import Any

import yaml

from supervisor_k8s.model.desired.core import core_services
from supervisor_k8s.model.desired.link import CorePort
from tests import builders
from tests.settings_table import README


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
