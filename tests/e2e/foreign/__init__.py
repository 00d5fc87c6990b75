"""The local cluster seen as somebody else's."""
