"""Talk to a running manager: `sync.Client` blocks, `aio.AsyncClient` awaits.

Both find the manager of a store by themselves, through its `manager.json`.
"""
