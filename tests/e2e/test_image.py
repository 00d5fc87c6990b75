"""The image where it runs: with a read-only root, few capabilities and the environment of its pod."""

from tests.e2e.house import Kubectl, Supervisor


async def test_the_health_check_works_in_the_pod(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """What the image offers to other runtimes answers for the Supervisor that runs here."""
    assert (await supervisor.get("/supervisor/ping")).status == 200
    assert '"result"' in await kubectl.run("exec", "deployment/supervisor", "--", "healthcheck")


async def test_it_is_alive_by_its_own_probe(kubectl: Kubectl) -> None:
    """The probe of the manifests finds what it asks for; a wrong path would end the Supervisor every five minutes."""
    pod = await kubectl.pod("app.kubernetes.io/name=supervisor")
    (container,) = pod["spec"]["containers"]
    probe = container["livenessProbe"]["httpGet"]
    port = next(item["containerPort"] for item in container["ports"] if item["name"] == probe["port"])
    ask = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}{probe['path']}', timeout=5).status)"
    assert (await kubectl.run("exec", pod["metadata"]["name"], "--", "python3", "-c", ask)).strip() == "200"
