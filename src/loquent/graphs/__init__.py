"""Graphs of operators, as ONNX files hold them, executed with NumPy and the native kernels."""
