"""Names in the cluster for slugs that authors could choose."""

import re

from supervisor_k8s.model import naming

SLUGS = (
    "local_a_b", "local_a-b", "local_a.b", "local_A_B", "local_a__b", "local__a_b", "local_a_b_", "local_-", "local__",
    "local_...", "local_9lives", "9a8b7c6d_9", "a0d7b954_wiki.js", "a0d7b954_Wiki.js", "a0d7b954_wiki-js",
    "local_" + "x" * 49, "local_" + "x" * 57, "local_" + "x" * 58, "local_" + "x" * 200, "local_" + "x" * 199 + "y",
)  # fmt: skip
LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""Of RFC 1035, which Services take in every version of Kubernetes."""
VALUE = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?")


def test_names_of_odd_slugs_are_legal() -> None:
    """Capitals, dots, digits first, 63 characters and more, nothing but signs."""
    for slug in SLUGS:
        for name in (naming.addon_name(slug), naming.launch_secret(naming.addon_name(slug), "0a1b2c3d")):
            assert LABEL.fullmatch(name), (slug, name)
            assert len(name) <= 63
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", naming.pod_hostname(slug)), slug
        assert VALUE.fullmatch(naming.label_value(slug)), slug
        assert len(naming.label_value(slug)) <= 63


def test_two_addons_never_share_a_name() -> None:
    """Slugs that differ in what Kubernetes does not take, or only at their end."""
    for name_of in (naming.addon_name, naming.label_value):
        assert len({name_of(slug) for slug in SLUGS}) == len(SLUGS)
