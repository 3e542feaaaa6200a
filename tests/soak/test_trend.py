"""What the soak would call growth, without any service."""
import random
import unittest

from trend import trend

MIB = 2**20


def series(value, seconds=3600, period=5):
    return [(at, value(at)) for at in range(0, seconds, period)]


class Growth(unittest.TestCase):
    def setUp(self):
        self.noise = random.Random(1)

    def test_a_leak_of_seven_percent_an_hour_beside_noise_of_one_percent_grows(self):
        leaking = trend(series(lambda at: 100 * MIB + at * 2000 + self.noise.gauss(0, MIB)), 1200, MIB)
        self.assertTrue(leaking.grows)
        self.assertAlmostEqual(leaking.per_hour / 7.2e6, 1, delta=0.1)

    def test_noise_is_flat(self):
        for _ in range(50):
            self.assertFalse(trend(series(lambda _: 100 * MIB + self.noise.gauss(0, 10 * MIB)), 1200, MIB).grows)

    def test_what_grows_in_the_warm_up_only_is_flat(self):
        self.assertFalse(trend(series(lambda at: min(at, 1100) * 50_000), 1200, MIB).grows)

    def test_a_saw_is_flat(self):
        self.assertFalse(trend(series(lambda at: 100 * MIB + at % 400 * 50_000), 1200, MIB).grows)

    def test_a_rise_within_the_allowance_is_flat(self):
        creeping = trend(series(lambda at: 10 * MIB + at * 100), 1200, MIB)
        self.assertGreater(creeping.order, 3.1)
        self.assertFalse(creeping.grows)

    def test_one_connection_left_open_every_ten_minutes_grows(self):
        self.assertTrue(trend(series(lambda at: 40 + at // 600), 1200, 2).grows)

    def test_too_few_samples_are_no_verdict(self):
        with self.assertRaises(ValueError):
            trend(series(lambda _: 1, seconds=100), 0, MIB)


if __name__ == "__main__":
    unittest.main()
