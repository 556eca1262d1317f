"""The failure of a request."""


class ServerError(Exception):
    """A request that the server refused or could not carry out; its text is the server's sentence.

    :ivar status: the HTTP status, such as 400
    :ivar title: the kind of problem in a word or two
    """

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
