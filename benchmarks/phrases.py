"""Twenty phrases for each set of pictures that a generator was trained on, and what is in the name of their label.

The first six of `cifar10` and `products` are those of `manifold.py`.
"""

PHRASES: dict[str, tuple[tuple[str, str], ...]] = {
    "cifar10": (
        ("a horse", "horse"),
        ("a ship on blue water", "ship"),
        ("a frog", "frog"),
        ("an airplane in the sky", "airplane"),
        ("a red fire truck", "truck"),
        ("a cat", "cat"),
        ("a brown deer", "deer"),
        ("a yellow car", "automobile"),
        ("a small bird", "bird"),
        ("a white dog", "dog"),
        ("a brown horse on grass", "horse"),
        ("a red car", "automobile"),
        ("a green frog", "frog"),
        ("a black cat", "cat"),
        ("a white ship", "ship"),
        ("a blue truck", "truck"),
        ("a bird in the sky", "bird"),
        ("a brown dog", "dog"),
        ("a deer in a forest", "deer"),
        ("a white airplane", "airplane"),
    ),
    "products": (
        ("a red shoe", "shoes"),
        ("a black wrist watch", "watch"),
        ("a brown handbag", "handbag"),
        ("a brown belt", "belt"),
        ("a green backpack", "backpack"),
        ("a pair of sunglasses", "sunglasses"),
        ("a white running shoe", "sports shoes"),
        ("a brown wallet", "wallet"),
        ("a blue sandal", "sandals"),
        ("a pair of black socks", "socks"),
        ("a bottle of perfume", "perfume"),
        ("a red lipstick", "lipstick"),
        ("a silver necklace", "necklace"),
        ("a blue tie", "ties"),
        ("a black cap", "caps"),
        ("a pink high heel", "heels"),
        ("a gold earring", "earrings"),
        ("a purple clutch bag", "clutches"),
        ("a white flip flop", "flip flops"),
        ("a grey scarf", "scarves"),
    ),
    "tiny-imagenet": tuple(
        (f"{'an' if word[0] in 'aeiou' else 'a'} {word}", word)
        for word in (
            "goldfish", "teapot", "lion", "pizza", "school bus", "mushroom", "king penguin", "umbrella", "sports car",
            "banana", "jellyfish", "barn", "candle", "guinea pig", "lemon", "snail", "bell pepper", "hourglass",
            "golden retriever", "suspension bridge",
        )
    ),
}  # fmt: skip
