"""Silero's network that tells speech, as its ONNX file for 16 kHz names its weights."""

NAMES = {
    "model.stft.forward_basis_buffer": "spectrum.weight",
    **{
        f"model.encoder.{place}.reparam_conv.{part}": f"convolutions.{place}.{part}"
        for place in range(4)
        for part in ("weight", "bias")
    },
    "model.decoder.rnn.weight_ih": "input.weight",
    "model.decoder.rnn.bias_ih": "input.bias",
    "model.decoder.rnn.weight_hh": "recurrent.weight",
    "model.decoder.rnn.bias_hh": "recurrent.bias",
    "model.decoder.decoder.2.weight": "head.weight",
    "model.decoder.decoder.2.bias": "head.bias",
}
