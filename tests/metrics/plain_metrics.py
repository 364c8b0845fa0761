"""The metrics once more, as short and slow as their formulas: float64 NumPy and SciPy, nothing of the package."""

import numpy as np
from scipy import linalg, special
from scipy.spatial.distance import cdist

TORCH_FIDELITY = 2020


def frechet(a, b):
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) by the eigenvalues of the product itself."""
    a, b = (np.asarray(x, np.float64) for x in (a, b))
    c1, c2 = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    root = np.sqrt(linalg.eigvals(c1 @ c2).astype(np.complex128)).real.sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c1) + np.trace(c2) - 2 * root)


def mmd(x, y):
    """Unbiased, kernel (x.y / D + 1)^3."""
    x, y = (np.asarray(v, np.float64) for v in (x, y))
    kernel = [(a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    within = [k[~np.eye(len(k), dtype=bool)].sum() / (len(k) * (len(k) - 1)) for k in kernel[:2]]
    return float(sum(within) - 2 * kernel[2].mean())


def kid(x, y, subsets, size):
    """Mean and deviation over subsets, generated rows drawn first."""
    draw, found = np.random.RandomState(TORCH_FIDELITY), []
    for _ in range(subsets):
        one = draw.choice(len(x), size, replace=False)
        two = draw.choice(len(y), size, replace=False)
        found.append(mmd(np.asarray(x)[one], np.asarray(y)[two]))
    return float(np.mean(found)), float(np.std(found))


def inception_score(logits, splits=10, shuffle=True):
    """exp of the mean KL of p(y|x) from p(y), over parts i N // splits to (i + 1) N // splits."""
    p = special.softmax(np.asarray(logits, np.float64), axis=1)
    if shuffle:
        p = p[np.random.RandomState(TORCH_FIDELITY).permutation(len(p))]
    found = []
    for k in range(splits):
        part = p[k * len(p) // splits : (k + 1) * len(p) // splits]
        found.append(np.exp(special.rel_entr(part, part.mean(0)).sum(1).mean()))
    return float(np.mean(found)), float(np.std(found))


def apart(a, b):
    """Every distance, from the differences: copies are at 0 exactly."""
    return cdist(np.asarray(a, np.float64), np.asarray(b, np.float64))


def reach(x, k):
    """Distance to the k-th other row."""
    return np.sort(apart(x, x), axis=1)[:, k]


def precision_recall(fake, real, k):
    precision = (apart(fake, real) <= reach(real, k)).any(1).mean()
    recall = (apart(real, fake) <= reach(fake, k)).any(1).mean()
    both = precision + recall
    return float(precision), float(recall), float(2 * precision * recall / both) if both else 0.0


def density_coverage(fake, real, k):
    within = apart(fake, real) <= reach(real, k)
    return float(within.sum(1).mean() / k), float(within.any(0).mean())


def clipped_density(fake, real, k):
    short = np.minimum(reach(real, k), np.median(reach(real, k)))
    own = np.minimum((apart(real, real) <= short).sum(1) - 1, k).mean() / k
    found = np.minimum((apart(fake, real) <= short).sum(1), k).mean() / k
    return float(min(found / own, 1.0)) if own else 0.0


def clipped_coverage(fake, real, k):
    """Calibrated by what m good of N rows are expected to reach: mass in a ball Beta(k, M - k)."""
    n, m = len(fake), len(real)
    raw = np.minimum((apart(fake, real) <= reach(real, k)).sum(0), k).mean() / k
    expected = []
    for good in range(n + 1):
        j = np.arange(k)
        j = j[j <= good]
        log_p = np.log(special.comb(good, j)) + special.betaln(k + j, m - k + good - j) - special.betaln(k, m - k)
        expected.append(1 - ((k - j) * np.exp(log_p)).sum() / k)
    return float(np.interp(raw, expected, np.arange(n + 1) / n)), expected


def vendi(x, sigma, order=1.0):
    values = linalg.eigvalsh(np.exp(-(apart(x, x) ** 2) / (2 * sigma**2)) / len(x))
    values = values[values > 1e-12]
    if order == 1:
        return float(np.exp(-(values * np.log(values)).sum()))
    return float((values**order).sum() ** (1 / (1 - order)))


def sliced(x, y, directions):
    """sqrt of the mean over unit `directions` (D, L) of W_2^2 on the line, rows of equal number."""
    x, y = (np.sort(np.asarray(v, np.float64) @ directions, axis=0) for v in (x, y))
    return float(np.sqrt(((x - y) ** 2).mean()))


def authentic(fake, train):
    far = apart(fake, train)
    return float((far.min(1) > reach(train, 1)[far.argmin(1)]).mean())


def line_to_infinity(points):
    """Intercept of the least-squares line through (1 / n, FD)."""
    n, found = np.array(points).T
    return float(np.polyfit(1 / n, found, 1)[1])
