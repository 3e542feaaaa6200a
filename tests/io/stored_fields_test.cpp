#include "io/stored/stored_fields.hpp"

#include <doctest/doctest.h>

using namespace freshet;
using namespace std::chrono_literals;

TEST_CASE("the name of a head's field is its partition and generation") {
    const HeadField field{PartitionId{12}, Generation{3}};
    CHECK(field.text() == "12.3");
    CHECK(HeadField::parse("12.3") == field);
    CHECK(HeadField::parse("0.4294967295") == HeadField{PartitionId{0}, Generation{4294967295}});
    for (const char* text :
         {"", ".", "1", "1.", ".1", "-1.0", "1.-1", "01.2", "1.2 ", "1.2.3", "+1.2", "2147483648.0"})
        CHECK_FALSE(HeadField::parse(text));
}

TEST_CASE("the name of a chunk's field adds the hop and the chunk, which may lie before 1970") {
    const SealedField field{{PartitionId{12}, Generation{3}}, 600s, -44};
    CHECK(field.text() == "12.3.600.-44");
    CHECK(SealedField::parse("12.3.600.-44") == field);
    for (const char* text : {"12.3", "12.3.600", "12.3.600.", "12.3.0.1", "12.3.-5.1", "12.3.600.1.1",
                             "12.3.600.-0", "12.3.600.9223372036854775808", "x.3.600.1"})
        CHECK_FALSE(SealedField::parse(text));
}
