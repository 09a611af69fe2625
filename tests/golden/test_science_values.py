"""Published numbers of the BTYD literature come out of the code. Sources: Fader, Hardie & Lee 2005; Batislam et al. 2007."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import beta

from detectors.bg_nbd import (
    CDNOW_WEEKS,
    BgNbd,
    bg_nbd_expected_purchases,
    bg_nbd_log_likelihood,
    bg_nbd_p_alive,
    bg_nbd_p_zero,
)
from detectors.btyd import log_likelihood
from detectors.fit import fit_mbg_nbd
from detectors.parameters import SHIPPED
from tests.support import cdnow

EXPECTED_OF_A_NEW_CUSTOMER = [
    (0.1429, 0.0078),
    (1.0, 0.0532),
    (3.0, 0.1506),
    (31.8571, 1.0405),
    (32.0, 1.0437),
    (78.0, 1.8576),
]


@pytest.fixture(scope="module")
def bg_nbd_fitted() -> BgNbd:
    """BG/NBD at the top of its likelihood on CDNOW: the published table was made with unrounded parameters."""
    x, t_x, T = cdnow.calibration_weeks()

    def loss(log_parameters):
        return -bg_nbd_log_likelihood(BgNbd(*np.exp(log_parameters)), x, t_x, T).mean()

    found = minimize(loss, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 5000})
    return BgNbd(*(float(v) for v in np.exp(found.x)))


def test_bg_nbd_expects_1_226_purchases_of_the_customer_of_the_paper():
    assert bg_nbd_expected_purchases(CDNOW_WEEKS, [2], [30.43], [38.86], 39.0)[0] == pytest.approx(1.226, abs=5e-4)


def test_bg_nbd_silence_of_a_new_customer_for_39_weeks():
    assert bg_nbd_p_zero(CDNOW_WEEKS, [0], [0], [0], 39.0)[0] == pytest.approx(0.5737864, abs=5e-8)


def test_bg_nbd_gives_a_one_time_buyer_eternal_life():
    assert bg_nbd_p_alive(CDNOW_WEEKS, [0, 0], [0, 0], [1, 5000]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("weeks", "published"), EXPECTED_OF_A_NEW_CUSTOMER)
def test_bg_nbd_expected_purchases_of_a_new_customer(bg_nbd_fitted, weeks, published):
    value = bg_nbd_expected_purchases(bg_nbd_fitted, [0], [0], [0], weeks)[0]
    # The publication's spreadsheet cuts the hypergeometric series short: 1.8576 at 78 weeks where quadrature (below) says 1.8580.
    assert value == pytest.approx(published, abs=6e-5, rel=3e-4)


@pytest.mark.parametrize("weeks", [weeks for weeks, _ in EXPECTED_OF_A_NEW_CUSTOMER])
def test_bg_nbd_expected_purchases_equal_the_integral_they_come_from(weeks):
    r, alpha, a, b = CDNOW_WEEKS

    def purchases(p):  # of a customer who leaves with chance p: (1 - E exp(-rate p t)) / p
        return (1.0 - (alpha / (alpha + p * weeks)) ** r) / p * beta.pdf(p, a, b)

    by_quadrature = quad(purchases, 0.0, 0.01)[0] + quad(purchases, 0.01, 1.0, limit=200)[0]
    assert bg_nbd_expected_purchases(CDNOW_WEEKS, [0], [0], [0], weeks)[0] == pytest.approx(by_quadrature, rel=1e-6)


def test_bg_nbd_fits_cdnow_as_published(bg_nbd_fitted):
    assert bg_nbd_fitted == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=1e-3)


def test_bg_nbd_log_likelihood_of_cdnow():
    assert bg_nbd_log_likelihood(CDNOW_WEEKS, *cdnow.calibration_weeks()).sum() == pytest.approx(-9582.43, abs=0.01)


def test_mbg_nbd_log_likelihood_of_cdnow():
    x, t_x, T = cdnow.calibration_weeks()
    in_days = log_likelihood(SHIPPED, x, 7 * t_x, 7 * T).sum()
    assert in_days + x.sum() * np.log(7) == pytest.approx(-9582.14, abs=0.01)
    assert in_days == pytest.approx(SHIPPED.log_likelihood, abs=0.01)


def test_mbg_nbd_fits_cdnow_as_published():
    x, t_x, T = cdnow.calibration_weeks()
    fitted = fit_mbg_nbd(x, 7 * t_x, 7 * T, version="cdnow", source="CDNOW 1/10")
    assert fitted.r == pytest.approx(0.525, abs=1e-3)
    assert fitted.alpha_days / 7 == pytest.approx(6.183, abs=2e-3)
    assert fitted.a == pytest.approx(0.891, abs=1e-3)
    assert fitted.b == pytest.approx(1.614, abs=1e-3)
    assert fitted.log_likelihood + x.sum() * np.log(7) == pytest.approx(-9582.14, abs=0.01)
    assert fitted.customers == 2357
