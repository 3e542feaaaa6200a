#include "io/stored/store_keys.hpp"

#include <doctest/doctest.h>

using namespace freshet;

TEST_CASE("the keys of an entity share the slot of its view and name") {
    CHECK(head_key("fs:", "delays@1", "AA 11") == "fs:{delays@1:AA 11}");
    CHECK(sealed_key("fs:", "delays@1", "AA 11") == "fs:{delays@1:AA 11}:s");
    CHECK(head_key("", "v@1", "") == "{v@1:}");
}

TEST_CASE("the slot of a record can be chosen") {
    const Partition partition{"flights", PartitionId{12}};
    CHECK(record_key("fs:", partition) == "fs:{0}progress:flights:12");
    CHECK(record_key("fs:", partition, "a7") == "fs:{a7}progress:flights:12");
}

TEST_CASE("sealed fields of one origin do not begin like those of another") {
    CHECK(sealed_field_prefix("1.0") == "1.0.");
    CHECK_FALSE(std::string("11.0.60.7").starts_with(sealed_field_prefix("1.0")));
    CHECK_FALSE(std::string("1.01.60.7").starts_with(sealed_field_prefix("1.0")));
}
