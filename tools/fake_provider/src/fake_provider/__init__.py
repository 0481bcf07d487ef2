"""An HTTP server that answers as OpenAI, Gemini, vLLM and Ollama do, faults included.

It stands where a language model provider would: tests, benchmarks and demonstrations point the
provider base URLs at it. It imports nothing of the service that it serves.
"""
