// The contract of the partial store, for the one in memory and the one in Redis alike: what is kept.
#include "support/store_contract.hpp"

using namespace freshet;
using namespace freshet::test;

STORE_TEST("a load finds what was written, and nothing of what was not") {
    Backend backend;
    Owner<Backend> owner(backend);
    REQUIRE(owner.write({put("a", head(5, "A")), put("b", head(6, std::string("B\0\r\n", 4)))}));
    CHECK(owner.head_of("a") == head(5, "A"));
    CHECK(owner.head_of("b") == head(6, std::string("B\0\r\n", 4)));
    CHECK_FALSE(owner.head_of("c"));
}

STORE_TEST("a load of many keys answers in their order") {
    Backend backend;
    Owner<Backend> owner(backend);
    std::vector<PartialWrite> writes;
    std::vector<PartialKey> keys;
    for (int i = 0; i < 333; ++i) {
        keys.push_back(key_of("e" + std::to_string(i)));
        if (i % 3 != 0) writes.push_back(put(keys.back().entity, head(i, std::to_string(i))));
    }
    REQUIRE(owner.write(writes));
    const auto loaded = owner.store->load(owner.fence, keys);
    REQUIRE(loaded);
    REQUIRE(loaded->size() == keys.size());
    for (int i = 0; i < 333; ++i) {
        const auto expected = i % 3 != 0 ? std::optional(head(i, std::to_string(i))) : std::nullopt;
        CHECK((*loaded)[i].head == expected);
    }
}

STORE_TEST("a higher stamp replaces, an equal one rewrites, a lower one changes nothing and succeeds") {
    Backend backend;
    Owner<Backend> owner(backend);
    // Offsets on both sides of a byte and of 2^32, and a generation that outweighs any offset.
    const std::vector<std::string> rising = {stamp(0, 0),           stamp(0, 255),      stamp(0, 256),
                                             stamp(0, 0xffff'ffff), stamp(0, 1L << 40), stamp(0, 1L << 52),
                                             stamp(1, 0),           stamp(256, 7)};
    for (std::size_t i = 0; i < rising.size(); ++i) {
        CAPTURE(i);
        CHECK(owner.write({put("a", rising[i] + "new", {{"3.0.x", "new" + std::to_string(i)}})}));
        CHECK(owner.head_of("a") == rising[i] + "new");
        CHECK(owner.write({put("a", rising[i] + "again")}));
        CHECK(owner.head_of("a") == rising[i] + "again");
        for (std::size_t k = 0; k < i; ++k)
            CHECK(owner.write({put("a", rising[k] + "old", {{"3.0.x", "old"}, {"3.0.y", "old"}}, kLater)}));
        CHECK(owner.head_of("a") == rising[i] + "again");
        CHECK(has_chunks(owner.load("a"), {{"3.0.x", "new" + std::to_string(i)}}));
        CHECK_FALSE(backend.head_expiry("a"));
    }
}

STORE_TEST("an old head holds up none of its neighbours in the call") {
    Backend backend;
    Owner<Backend> owner(backend);
    REQUIRE(owner.write({put("b", head(9, "stays"))}));
    REQUIRE(owner.write({put("a", head(5, "A")), put("b", head(5, "old")), put("c", head(5, "C"))}));
    CHECK(owner.head_of("a") == head(5, "A"));
    CHECK(owner.head_of("b") == head(9, "stays"));
    CHECK(owner.head_of("c") == head(5, "C"));
}

STORE_TEST("the partials of two origins, and of two views, stand side by side") {
    Backend backend;
    Owner<Backend> owner(backend);
    PartialWrite other_origin = put("a", head(1, "other origin"), {{"30.0.0", "theirs"}});
    other_origin.key.origin = "30.0";
    PartialWrite other_view = put("a", head(2, "other view"));
    other_view.key.view_id = "delays@2";
    REQUIRE(owner.write({put("a", head(7, "A"), {{"3.0.0", "ours"}}), other_origin, other_view}));
    const auto loaded =
        owner.store->load(owner.fence, std::vector{key_of("a"), other_origin.key, other_view.key});
    REQUIRE(loaded);
    CHECK((*loaded)[0].head == head(7, "A"));
    CHECK(has_chunks((*loaded)[0], {{"3.0.0", "ours"}}));
    CHECK((*loaded)[1].head == head(1, "other origin"));
    CHECK(has_chunks((*loaded)[1], {{"30.0.0", "theirs"}}));
    CHECK((*loaded)[2].head == head(2, "other view"));
    CHECK(has_chunks((*loaded)[2], {}));
}

STORE_TEST("chunks are set, replaced and removed") {
    Backend backend;
    Owner<Backend> owner(backend);
    REQUIRE(
        owner.write({put("a", head(1, ""), {{"3.0.0/1", "one"}, {"3.0.0/2", "two"}}), put("b", head(1, ""))}));
    CHECK(has_chunks(owner.load("a"), {{"3.0.0/1", "one"}, {"3.0.0/2", "two"}}));
    CHECK(has_chunks(owner.load("b"), {}));
    REQUIRE(owner.write({put("b", head(2, "")), put("a", head(2, ""), {{"3.0.0/1", ""}, {"3.0.0/2", "TWO"}})}));
    CHECK(has_chunks(owner.load("a"), {{"3.0.0/2", "TWO"}}));
    REQUIRE(owner.write({put("a", head(3, ""), {{"3.0.0/2", ""}, {"3.0.0/9", ""}})}));
    CHECK(has_chunks(owner.load("a"), {}));
}

STORE_TEST("an expiry is set, raised and never lowered, and the sealed tiles expire with their head") {
    Backend backend;
    Owner<Backend> owner(backend);
    const std::vector<ChunkWrite> chunk = {{"3.0.0", "tiles"}};
    REQUIRE(owner.write({put("a", head(1, ""), chunk)}));
    CHECK_FALSE(backend.head_expiry("a"));
    CHECK_FALSE(backend.sealed_expiry("a"));
    REQUIRE(owner.write({put("a", head(2, ""), {}, kLater)}));
    CHECK(backend.head_expiry("a") == kLater);
    CHECK(backend.sealed_expiry("a") == kLater);
    REQUIRE(owner.write({put("a", head(3, ""), {}, kLater - Duration(1))}));
    CHECK(backend.head_expiry("a") == kLater);
    CHECK(backend.sealed_expiry("a") == kLater);
    REQUIRE(owner.write({put("a", head(4, ""), {{"3.0.1", "more"}}, kLater + Duration(1))}));
    CHECK(backend.head_expiry("a") == kLater + Duration(1));
    CHECK(backend.sealed_expiry("a") == kLater + Duration(1));
    REQUIRE(owner.write({put("a", head(5, ""))}));
    CHECK(backend.head_expiry("a") == kLater + Duration(1));

    PartialWrite acked = put("a", head(6, ""), {}, kLater);
    acked.expiry_acked = true;
    PartialWrite acked_but_gone = put("b", head(6, ""), chunk, kLater);
    acked_but_gone.expiry_acked = true;
    REQUIRE(owner.write({acked, acked_but_gone}));
    CHECK(backend.head_expiry("a") == kLater + Duration(1));
    CHECK(backend.head_expiry("b") == kLater);
    CHECK(backend.sealed_expiry("b") == kLater);
}

STORE_TEST("what has expired already is gone at once, with its sealed tiles") {
    Backend backend;
    Owner<Backend> owner(backend);
    REQUIRE(owner.write({put("a", head(1, ""), {{"3.0.0", "tiles"}}, from_unix_ms(1'000))}));
    CHECK_FALSE(owner.head_of("a"));
    REQUIRE(owner.write({put("a", head(0, "anew"))}));
    CHECK(owner.head_of("a") == head(0, "anew"));
    CHECK(has_chunks(owner.load("a"), {}));
}

STORE_TEST("a head without a stamp is an error of the caller's and changes nothing") {
    Backend backend;
    Owner<Backend> owner(backend);
    const auto written = owner.write({put("a", head(1, "A")), put("b", "short")});
    REQUIRE_FALSE(written);
    CHECK(written.error().code == Errc::invalid_argument);
    CHECK_FALSE(owner.head_of("a"));
}
