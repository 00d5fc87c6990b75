"""Parts of answers that are made again only when they must be."""

import itertools

from supervisor_k8s.api.memo import Memo


def test_the_same_inputs_give_the_same_value() -> None:
    """Nothing is made again while every input is the object it was."""
    memo, made, record = Memo(), itertools.count(1), {"a": 1}
    for _ in range(3):
        assert memo.get("list", (record, "x"), lambda: next(made)) == 1


def test_another_object_counts_as_a_change() -> None:
    """An input that was replaced is one that changed, even if it says the same; names do not meet."""
    memo = Memo()
    assert memo.get("list", ({"a": 1},), lambda: "old") == "old"
    assert memo.get("list", ({"a": 1},), lambda: "new") == "new"
    assert memo.get("other", ({"a": 1},), lambda: "its own") == "its own"
