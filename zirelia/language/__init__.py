"""Chat models and text embeddings: LangChain underneath, an embedded demo voice when nothing else is there.

    chat = open_chat("llama3.2:3b", base_url="http://127.0.0.1:11434/v1")
    answer = chat.ask(ChatRequest(system="You are Mira.", user="Plan tomorrow."), Plan)

Knows neither personas nor settings; LangChain, openai, wordllama and the embedded server load at the first question.
"""

from __future__ import annotations

from zirelia.language.chat import LangChainChat, open_chat
from zirelia.language.embedded import EmbeddedServer, open_embedded_chat
from zirelia.language.embeddings import OpenAIEmbedder, WordLlamaEmbedder

__all__ = [
    "EmbeddedServer",
    "LangChainChat",
    "OpenAIEmbedder",
    "WordLlamaEmbedder",
    "open_chat",
    "open_embedded_chat",
]
