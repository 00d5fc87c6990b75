"""What can end a pass; the text is for the user's log."""


class GitPullError(Exception):
    """Base of all that a pass may end with."""


class OptionsError(GitPullError):
    """The options are none that could work."""


class TreeError(GitPullError):
    """The commit has something that must not or cannot become configuration."""


class GitError(GitPullError):
    """The git program failed, or whom it asked."""


class ClashError(GitPullError):
    """The disk and the repository both changed; nothing was changed."""


class InvalidError(GitPullError):
    """Core's checker does not take the candidate; nothing was changed."""


class HomeError(GitPullError):
    """Whoever runs Home Assistant gave no answer that says anything; it may be asked again."""


class RestartError(GitPullError):
    """Home Assistant was not restarted, or does not come up."""


class ChangedMeanwhileError(GitPullError):
    """Somebody wrote a file that was about to be replaced; nothing was changed."""
