"""Fitted estimators on the Hugging Face Hub, and in folders of the same layout."""

from isthmus.hub.sharing import from_pretrained, push_to_hub, save_pretrained

__all__ = ["from_pretrained", "push_to_hub", "save_pretrained"]
