"""Talk to a running manager: `sync.Client` blocks, `aio.AsyncClient` awaits.

Both find the manager by themselves: a store's by its `manager.json`, another machine's by
SOLVEYARD_URL and SOLVEYARD_TOKEN.
"""
