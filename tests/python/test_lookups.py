"""The clients against a real node, whose features are known."""
import asyncio
import concurrent.futures
import datetime
import unittest

import lab as services
from lab import HOUR, PATIENT, SERVICES, WITHIN

import freshet
import freshet.aio

CARD_17 = {"payments_1d": 3, "items_1d": 5, "mean_amount_1d": 44.5 / 3, "last_country": "DE", "last_amount": 12.0,
           "last_online": True}


def setUpModule():
    Lookups.lab = services.Lab()
    unittest.addModuleCleanup(Lookups.lab.close)
    Lookups.client = freshet.Client(Lookups.lab.node.address, **PATIENT)
    unittest.addModuleCleanup(Lookups.client.close)
    Lookups.lab.wait_until_counted(Lookups.client)


class Lookups(unittest.TestCase):
    lab = None
    client = None


class OneEntity(Lookups):
    def test_values_keep_their_types(self):
        row = self.client.get("spend", "card-17")
        self.assertEqual(row, CARD_17)
        self.assertEqual({name: type(value) for name, value in row.items()},
                         {name: type(value) for name, value in CARD_17.items()})

    def test_a_text_that_looks_like_a_number_stays_a_text(self):
        self.assertEqual(self.client.get("spend", "card-18")["last_country"], "12.5")

    def test_nulls_are_none(self):
        row = self.client.get("spend", "a|b\\c", ["payments_1d", "mean_amount_1d", "last_amount"])
        self.assertEqual(row, {"payments_1d": 1, "mean_amount_1d": None, "last_amount": None})

    def test_features_come_in_the_order_asked_for(self):
        self.assertEqual(list(self.client.get("spend", "card-17", ["last_country", "items_1d"]).items()),
                         [("last_country", "DE"), ("items_1d", 5)])
        self.assertEqual(self.client.get("spend", "card-17", "items_1d").to_dict(), {"items_1d": 5})

    def test_status_staleness_and_newest_event_stand_beside_the_values(self):
        row = self.client.get("spend", "card-17", ["items_1d"])
        self.assertEqual((row.entity, row.statuses, row.fresh), ("card-17", {"items_1d": "fresh"}, True))
        self.assertEqual(row.newest_event_ms, self.lab.now - HOUR)
        self.assertGreaterEqual(row.staleness_ms, 0)

    def test_an_entity_that_is_missing(self):
        row = self.client.get("spend", "nobody")
        self.assertEqual((set(row.values()), set(row.statuses.values()), row.fresh, row.newest_event_ms),
                         ({None}, {"missing"}, False, None))

    def test_entities_of_several_columns_numbers_and_booleans(self):
        self.assertEqual(self.client.get("pairs", ("card-17", "NL"))["payments_1d"], 2)
        self.assertEqual(self.client.get("pairs", ("a|b\\c", "é"))["payments_1d"], 1)
        self.assertEqual(self.client.get("users", (1, True))["payments_1d"], 2)
        self.assertEqual(self.client.get("users", (-2, False))["payments_1d"], 1)

    def test_entities_that_are_no_utf_8(self):
        self.assertEqual(self.client.get("spend", b"\xff\xfe").statuses["items_1d"], "missing")
        self.assertEqual(self.client.explain("spend", b"\xff", "items_1d")["entity"].encode("utf-8", "surrogateescape"),
                         b"\xff")

    def test_as_of_a_time(self):
        before = self.lab.now - 2 * HOUR - HOUR // 2
        self.assertEqual(self.client.get("spend", "card-17", ["items_1d"], at=before), {"items_1d": 2})
        moment = datetime.datetime.fromtimestamp(before // 1000, datetime.timezone.utc)
        self.assertEqual(self.client.get("spend", "card-17", ["items_1d"], at=moment), {"items_1d": 2})

    def test_an_event_of_ones_own_counts_in_this_answer_alone(self):
        event = {"card": "card-17", "country": "Ö", "amount": 1.0, "items": 10}
        wanted = ["payments_1d", "items_1d", "last_country"]
        self.assertEqual(self.client.get("spend", "card-17", wanted, with_event=event),
                         {"payments_1d": 4, "items_1d": 15, "last_country": "Ö"})
        self.assertEqual(self.client.get("spend", "card-17", wanted)["items_1d"], 5)
        rows = self.client.get_many("spend", ["card-18", "card-17"], ["items_1d"], with_event=event)
        self.assertEqual(rows.to_dicts(), [{"items_1d": 7}, {"items_1d": 15}])
        with self.assertRaisesRegex(freshet.BadArgument, "card-17"):
            self.client.get_many("spend", ["card-18"], with_event=event)

    def test_after_an_event(self):
        for record in self.lab.records:
            place = (record["partition"], record["offset"])
            self.assertEqual(self.client.get("spend", "card-17", after=place, wait=WITHIN), CARD_17)
            self.assertEqual(self.client.get_many("spend", ["card-17"], after=place, wait=WITHIN)[0], CARD_17)
        with self.assertRaisesRegex(freshet.Busy, "offset 999 of partition 0 within 50 ms"):
            self.client.get("spend", "card-17", after=(0, 999), wait=0.05)


class ManyEntities(Lookups):
    def test_rows_come_in_their_order(self):
        rows = self.client.get_many("spend", ["card-18", "nobody", "card-17"], ["items_1d", "last_country"])
        self.assertEqual(rows.features, ("items_1d", "last_country"))
        self.assertEqual(rows.to_dicts(), [{"items_1d": 7, "last_country": "12.5"}, {"items_1d": None, "last_country": None},
                                           {"items_1d": 5, "last_country": "DE"}])
        self.assertEqual([row.statuses["items_1d"] for row in rows], ["fresh", "missing", "fresh"])
        self.assertEqual((rows.fresh, rows[::2].fresh, rows[-1].entity), (False, True, "card-17"))

    def test_entities_of_several_columns(self):
        rows = self.client.get_many("pairs", [("card-17", "DE"), ("card-17", "NL")])
        self.assertEqual(rows.to_dicts(), [{"payments_1d": 1, "amount_1d": 12.0}, {"payments_1d": 2, "amount_1d": 32.5}])

    def test_no_entities(self):
        self.assertEqual(len(self.client.get_many("spend", [])), 0)
        self.assertEqual(len(self.client.vector("ranking", [])), 0)

    def test_a_service_has_its_own_order(self):
        rows = self.client.vector("ranking", [{"card": "card-17", "country": "NL"}, {"country": "DE", "card": "card-18"}])
        self.assertEqual(rows.features, tuple(SERVICES["ranking"]))
        self.assertEqual([tuple(row.values()) for row in rows], [("DE", 2, 5), ("12.5", None, 7)])
        first, second = rows
        self.assertEqual(set(first.statuses.values()), {"fresh"})
        self.assertEqual(second.statuses["pairs.payments_1d"], "missing")
        self.assertEqual(first.newest_event_ms, self.lab.now - HOUR)
        self.assertEqual(first.views["pairs"].newest_event_ms, self.lab.now - 2 * HOUR)
        self.assertGreaterEqual(first.staleness_ms, 0)

    def test_a_service_waits_for_an_event_and_counts_one_of_ones_own(self):
        rows = [{"card": "card-18", "country": "12.5"}, {"card": "card-17", "country": "NL"}]
        event = {"card": "card-17", "country": "NL", "amount": 1.0, "items": 10}
        place = max((record["partition"], record["offset"]) for record in self.lab.records)
        found = self.client.vector("ranking", rows, after=place, wait=WITHIN, with_event=event)
        self.assertEqual([tuple(row.values()) for row in found], [("12.5", 1, 7), ("NL", 3, 15)])
        with self.assertRaisesRegex(freshet.Busy, "offset 999 of partition 0"):
            self.client.vector("ranking", rows, after=(0, 999), wait=0.05)

    def test_a_service_or_key_named_wrongly(self):
        row = [{"card": "card-17", "country": "NL"}]
        self.assertRaisesRegex(freshet.UnknownService, "did you mean 'ranking'", self.client.vector, "rankin", row)
        self.assertRaisesRegex(freshet.UnknownService, "no service 'other'", self.client.vector, "other", [])
        self.assertRaisesRegex(freshet.BadArgument, "did you mean 'card'", self.client.vector, "ranking",
                               [{"kard": "x", "country": "NL"}])

    def test_a_service_that_changed_is_asked_about_again(self):
        row = [{"card": "card-17", "country": "NL"}]
        with freshet.Client(self.lab.node.address, **PATIENT) as client:
            before = client.vector("ranking", row)
            client._services["ranking"] = ["spend.items_1d"]            # as if the node had had this one then
            self.assertEqual(list(client.vector("ranking", row)), list(before))


class AboutTheStore(Lookups):
    def test_services(self):
        self.assertEqual(self.client.services(), ["ranking", "numbers"])
        self.assertEqual(self.client.service("ranking"),
                         {"name": "ranking", "features": SERVICES["ranking"], "keys": ["card", "country"]})

    def test_views(self):
        self.assertEqual(self.client.views(), ["spend", "pairs", "users"])
        view = self.client.view("pairs")
        self.assertEqual((view["name"], view["entity"], view["max_staleness_ms"]), ("pairs", ["card", "country"], None))
        self.assertEqual([feature["name"] for feature in view["features"]], ["payments_1d", "amount_1d"])

    def test_freshness(self):
        self.assertIs(self.client.freshness("spend").fresh, True)
        self.assertIsNone(self.client.freshness("pairs").fresh)
        self.assertIs(self.client.freshness("pairs.amount_1d", 3600).fresh, True)
        self.assertEqual({name: each.fresh for name, each in self.client.freshness().items()},
                         {"spend": True, "pairs": None, "users": None})
        self.assertIs(self.client.freshness(max_staleness=3600)["pairs"].fresh, True)

    def test_status_and_explain(self):
        self.assertIn("view spend@1", self.client.status())
        explained = self.client.explain("pairs", ("card-17", "NL"), "amount_1d")
        self.assertEqual((explained["feature"], explained["answer"][:2]), ("amount_1d", [[32.5], ["fresh"]]))


class Refusals(Lookups):
    def test_each_has_its_class(self):
        get = self.client.get
        for kind, told, ask in [
                (freshet.UnknownView, "did you mean 'spend'", lambda: get("spent", "x")),
                (freshet.UnknownFeature, "did you mean 'items_1d'", lambda: get("spend", "x", ["items_1"])),
                (freshet.OutOfRange, "AT 5 is before", lambda: get("spend", "x", at=5)),
                (freshet.LimitExceeded, "the limit is 100", lambda: self.client.get_many("spend", range(101))),
                (freshet.BadArgument, "FEATURES", lambda: get("spend", "x", [])),
                (freshet.BadArgument, "is card, country", lambda: get("pairs", ("a", "b", "c"))),
                (freshet.BadArgument, "more entity columns than", lambda: get("pairs", "a")),
                (freshet.BadArgument, "AFTER", lambda: get("spend", "x", after=(0, 1), wait=61)),
                (freshet.BadArgument, "amount", lambda: get("spend", "x", with_event={"card": "x", "amount": "much"}))]:
            with self.subTest(kind=kind, told=told):
                self.assertRaisesRegex(kind, told, ask)

    def test_all_are_freshet_errors(self):
        self.assertRaises(freshet.FreshetError, self.client.view, "spent")


class Sharing(Lookups):
    def test_threads_get_their_own_answers(self):
        cards = ["card-17", "card-18"] * 100
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            items = list(threads.map(lambda card: self.client.get("spend", card)["items_1d"], cards))
        self.assertEqual(items, [5, 7] * 100)


class Asyncio(Lookups, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().slow_callback_duration = WITHIN    # or a busy machine is told of
        self.aio = freshet.aio.Client(self.lab.node.address, **PATIENT)
        self.addAsyncCleanup(self.aio.close)

    async def test_it_answers_as_the_other_does(self):
        row = await self.aio.get("spend", "card-17")
        self.assertEqual((row, row.fresh), (CARD_17, True))
        self.assertEqual((await self.aio.get_many("spend", ["card-18"], "items_1d")).to_dicts(), [{"items_1d": 7}])
        rows = await self.aio.vector("ranking", [{"card": "card-17", "country": "NL"}])
        self.assertEqual(tuple(rows[0].values()), ("DE", 2, 5))
        self.assertEqual(len(await self.aio.vector("ranking", [])), 0)
        self.assertEqual(await self.aio.views(), self.client.views())
        self.assertEqual(await self.aio.view("spend"), self.client.view("spend"))
        self.assertEqual((await self.aio.freshness("spend")).fresh, True)
        self.assertEqual(set(await self.aio.freshness()), {"spend", "pairs", "users"})
        self.assertIn("view spend@1", await self.aio.status())
        self.assertEqual((await self.aio.explain("spend", "card-17", "items_1d"))["answer"][0], [5])
        with self.assertRaises(freshet.UnknownView):
            await self.aio.get("spent", "x")

    async def test_many_tasks_get_their_own_answers(self):
        rows = await asyncio.gather(*(self.aio.get("spend", card) for card in ["card-17", "card-18"] * 100))
        self.assertEqual([row["items_1d"] for row in rows], [5, 7] * 100)


if __name__ == "__main__":
    unittest.main(verbosity=2)
