"""What `run.log` takes beside numbers: histograms, tables, texts, pictures, sound and the like (docs/track.md).

One module a kind of thing. A thing only holds what it was given; what is wrong with it comes to light when it is logged,
where nothing raises into training. numpy is never imported here: who hands in an array has it.
"""
