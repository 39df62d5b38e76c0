"""TensorBoard's event files, read without TensorBoard.

`EventFile` gives the events of one file, also of one that is still written: numbers (both forms), histograms, texts,
images, audio, and the parameters of the hparams plugin. Modules: `records` (framing), `crc32c`, `events`, `tensors`,
`follow` (what of it becomes points and records). From the published formats: TFRecord, event.proto, summary.proto,
tensor.proto, plugin_data.proto of the hparams plugin.
"""

from pinyon.bridges.tensorboard.events import Event, EventFile, Histogram, Value

__all__ = ["Event", "EventFile", "Histogram", "Value"]
