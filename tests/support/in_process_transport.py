"""Send the client's requests to a service in this process."""

from typing import Any

import httpx


class InProcess(httpx.BaseTransport):
    """httpx onto the test client of the service (which is of another httpx)."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._client.request(
            request.method,
            str(request.url),
            headers=dict(request.headers),
            content=request.read(),
            follow_redirects=False,
        )
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
