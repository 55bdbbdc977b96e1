"""The API's objects: the fields that are decoded, and what they mean in the words of `model`."""
