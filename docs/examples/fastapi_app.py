"""An application of your own that answers as OpenAI's API does, with Tidegate around it.

    pip install . fastapi        # in a checkout of Tidegate
    uvicorn --app-dir docs/examples fastapi_app:app --port 8000
    curl http://127.0.0.1:8000/v1/chat/completions -H 'authorization: Bearer key-of-ana' \
      -H 'content-type: application/json' -d '{"messages": [{"role": "user", "content": "Hello"}], "stream": true}'

What you put in place of `words` is yours: a model in this process, a client of some
other service, a chain of calls. What matters to Tidegate is only that a key which
you do not know is answered with 401, and that an answer says what it used, if you
know it; otherwise its pieces are counted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel

from tidegate import TidegateMiddleware

KEYS = {"key-of-ana", "key-of-ben"}

app = FastAPI()
app.add_middleware(
    TidegateMiddleware,
    slots=2,  # so many answers at once; whoever comes then waits, by key and fairly, or is told when to come back
    gate={"address_rate": 10.0},  # tables as in Tidegate's configuration, docs/reference/configuration.md
    admission={"patience_s": 30.0},
)


class Chat(BaseModel):
    """What of a request this application looks at."""

    messages: list[dict[str, Any]]
    stream: bool = False
    max_tokens: int = 64


def caller(authorization: Annotated[str, Header()] = "") -> str:
    """Judge the key, as you did before: Tidegate learns from your answer."""
    key = authorization.removeprefix("Bearer ")
    if key not in KEYS:
        raise HTTPException(401, "This key is not known here.")
    return key


async def words(chat: Chat) -> AsyncIterator[str]:
    """Say the last message again, a word at a time, as a model would."""
    said = str(chat.messages[-1]["content"]).split()
    for number in range(chat.max_tokens):
        await asyncio.sleep(0.01)
        yield said[number % len(said)] + " "


async def events(chat: Chat) -> AsyncIterator[str]:
    """Write an answer as it comes."""
    count = 0
    async for word in words(chat):
        count += 1
        yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': word}}]})}\n\n"
    usage = {"prompt_tokens": 8, "completion_tokens": count, "total_tokens": 8 + count}
    yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n"
    yield "data: [DONE]\n\n"


@app.post("/v1/chat/completions", dependencies=[Depends(caller)])
async def complete(chat: Chat) -> Response:
    """Answer one chat."""
    if chat.stream:
        return StreamingResponse(events(chat), media_type="text/event-stream")
    text = "".join([word async for word in words(chat)])
    usage = {"prompt_tokens": 8, "completion_tokens": chat.max_tokens, "total_tokens": 8 + chat.max_tokens}
    message = {"role": "assistant", "content": text}
    return JSONResponse({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})


@app.get("/healthz")
def health() -> dict[str, bool]:
    """Say that it is well; Tidegate never refuses this."""
    return {"ok": True}
