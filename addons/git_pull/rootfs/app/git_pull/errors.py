"""What can end a pass; the text is for the user's log."""


class GitPullError(Exception):
    """Base of all that a pass may end with."""


class OptionsError(GitPullError):
    """The options are none that could work."""


class TreeError(GitPullError):
    """The commit has something that must not or cannot become configuration."""


class GitError(GitPullError):
    """The git program failed, or whom it asked."""


class SignatureError(GitPullError):
    """The commit is not signed by anybody whom the user trusts; nothing was changed."""


class ClashError(GitPullError):
    """The disk and the repository both changed; nothing was changed."""


class InvalidError(GitPullError):
    """Core's checker does not take the candidate; nothing was changed."""


class HomeError(GitPullError):
    """Whoever runs Home Assistant gave no answer that says anything; it may be asked again."""


class RestartError(GitPullError):
    """Home Assistant does not come up as it should."""


class ReturnedError(GitPullError):
    """Home Assistant did not come up with a commit, so the one before is live again."""


class ChangedMeanwhileError(GitPullError):
    """Somebody wrote a file that was about to be replaced; nothing was changed."""


class HeldError(GitPullError):
    """Another program exchanges files of the configuration; nothing was changed."""


class PlanError(GitPullError):
    """What an open switch has still to do cannot be read; nothing was changed."""
