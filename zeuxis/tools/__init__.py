"""Tools beside the search: pictures of seeds, style mixing, films between seeds, arithmetic on saved latents."""
