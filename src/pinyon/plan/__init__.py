"""Pure: from templates to a graph, from a graph and what is known to actions with reasons. No I/O of any kind."""
