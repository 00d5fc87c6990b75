"""cluster/library.py in a process of its own: the typed models stay away, and are there for whoever asks."""

import json
import subprocess
import sys

SAY = "print(json.dumps(sorted(name for name in sys.modules if name.startswith('kubernetes_asyncio.client.'))))"


def loaded(code: str) -> list[str]:
    """Modules of the library's client after this code."""
    done = subprocess.run([sys.executable, "-c", f"import json, sys\n{code}\n{SAY}"], capture_output=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def test_no_model_is_loaded() -> None:
    """All of our program is imported without one typed model or API class; these are half of its memory."""
    found = loaded("import supervisor_k8s.__main__")
    assert "kubernetes_asyncio.client.api_client" in found
    assert len(found) < 10


def test_models_are_there_for_whoever_asks() -> None:
    """The library is whole: what was put off comes when it is used, by any of its names."""
    found = loaded(
        "from supervisor_k8s.cluster.library import ApiClient\n"
        "import kubernetes_asyncio\n"
        "assert kubernetes_asyncio.client.V1Pod(kind='Pod').kind == 'Pod'\n"
        "assert kubernetes_asyncio.client.models.V1Pod is kubernetes_asyncio.client.V1Pod\n"
        "assert kubernetes_asyncio.client.ApiClient is ApiClient\n"
        "assert kubernetes_asyncio.watch.Watch\n"
    )
    assert len(found) > 500


def test_order_does_not_matter() -> None:
    """Somebody has imported the library before: everything is as that left it."""
    assert len(loaded("import kubernetes_asyncio\nfrom supervisor_k8s.cluster.library import ApiClient")) > 500
