"""Image data sets in the formats that people have: recognised, validated, split reproducibly, converted.

Needs pillow and numpy, and PyYAML for YOLO's `data.yaml`: a trainer that uses it names them in its requirements.
"""
