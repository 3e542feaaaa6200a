#include "model/expression.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <random>

using namespace freshet;

namespace {

const std::vector<FieldDef> kFields = {
    {"delay", {"delay"}, FieldType::int64},      {"fare", {"fare"}, FieldType::float64},
    {"carrier", {"carrier"}, FieldType::string}, {"cancelled", {"cancelled"}, FieldType::boolean},
    {"nothing", {"nothing"}, FieldType::int64},  {"maybe", {"maybe"}, FieldType::boolean},
};

// delay = 7, fare = 2.5, carrier = "it's", cancelled = true; `nothing` and `maybe` are null.
const std::vector<Value> kRow = {std::int64_t{7}, 2.5, std::string_view("it's"), true, Value(), Value()};

Expression parsed(std::string_view text) {
    auto expression = Expression::parse(text, kFields);
    INFO(text);
    INFO((expression ? "" : expression.error().message));
    REQUIRE(expression);
    return *expression;
}

std::string error_of(std::string_view text) {
    const auto expression = Expression::parse(text, kFields);
    if (expression) return "accepted as " + expression->text();
    CHECK(expression.error().code == Errc::invalid_argument);
    return expression.error().message;
}

Truth truth_of(std::string_view text) { return parsed(text).evaluate(kRow); }

// Of `delay == fare` and so on.
bool compares(std::int64_t delay, std::string_view op, double fare) {
    std::vector<Value> row = kRow;
    row[0] = delay;
    row[1] = fare;
    const bool forth = parsed("delay " + std::string(op) + " fare").accepts(row);
    std::string mirrored(op);
    if (mirrored[0] == '<' || mirrored[0] == '>') mirrored[0] = mirrored[0] == '<' ? '>' : '<';
    CHECK(parsed("fare " + mirrored + " delay").accepts(row) == forth);
    return forth;
}

std::string repeated(std::string_view part, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += part;
    return out;
}

}  // namespace

TEST_CASE("a condition is true, false or unknown") {
    struct Case {
        std::string_view text;
        Truth truth;
    };
    constexpr auto yes = Truth::yes, no = Truth::no, unknown = Truth::unknown;
    const Case cases[] = {
        {"delay == 7", yes},
        {"delay != 7", no},
        {"delay < 8", yes},
        {"delay <= 6", no},
        {"delay > -1", yes},
        {"delay>=7.0", yes},
        {"delay < 7.5", yes},
        {"fare > 2", yes},
        {"fare == 2.5", yes},
        {"7 == delay", yes},
        {"1 < 2", yes},
        {"carrier == 'it\\'s'", yes},
        {"carrier == \"it's\"", yes},
        {"carrier == '\\i\\t\\'\\s'", yes},
        {"carrier < 'iu'", yes},
        {"carrier < 'it\xC3\xA9'", yes},  // by bytes, unsigned
        {"cancelled", yes},
        {"not cancelled", no},
        {"cancelled == true", yes},
        {"cancelled != false", yes},
        {"(delay > 3) == cancelled", yes},
        {"true", yes},
        {"maybe", unknown},
        {"not maybe", unknown},
        {"nothing == nothing", unknown},
        {"nothing != 1", unknown},
        {"maybe and false", no},
        {"false and maybe", no},
        {"maybe and true", unknown},
        {"true and maybe", unknown},
        {"maybe or true", yes},
        {"true or maybe", yes},
        {"maybe or false", unknown},
        {"false or maybe", unknown},
        {"maybe or maybe or true", yes},
        {"nothing is null", yes},
        {"nothing is not null", no},
        {"delay is null", no},
        {"delay is not null", yes},
        {"(nothing > 3) is null", yes},
        {"delay in [1, 7]", yes},
        {"delay in [1, 2.0]", no},
        {"delay not in [1, 2]", yes},
        {"delay not in [7]", no},
        {"delay in [1, nothing]", unknown},
        {"delay in [nothing, 7]", yes},
        {"delay not in [1, nothing]", unknown},
        {"nothing in [1]", unknown},
        {"nothing not in [1]", unknown},
        {"not delay in [1]", yes},
        {"carrier in ['a', \"it's\"]", yes},
        {"cancelled in [false]", no},
        {"not false and false", no},        // (not false) and false
        {"not delay == 8", yes},            // not (delay == 8)
        {"true or false and false", yes},   // true or (false and false)
        {"(true or false) and false", no},  //
        {"not (true and false) or false", yes},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        CHECK(truth_of(c.text) == c.truth);
        CHECK(parsed(c.text).accepts(kRow) == (c.truth == yes));
    }
}

TEST_CASE("integers and floats compare exactly") {
    constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t beyond = (std::int64_t{1} << 53) + 1;  // not a double
    CHECK(compares(beyond, ">", 0x1p53));
    CHECK(compares(beyond, "!=", 0x1p53));
    CHECK(compares(beyond, "<", 0x1p53 + 2));
    CHECK(compares(highest, "<", 0x1p63));
    CHECK_FALSE(compares(highest, "==", 0x1p63));
    CHECK(compares(lowest, "==", -0x1p63));
    CHECK(compares(lowest, ">", std::nextafter(-0x1p63, -1e300)));
    CHECK(compares(lowest, ">", -std::numeric_limits<double>::infinity()));
    CHECK(compares(0, "==", -0.0));
    CHECK(compares(-3, "<", -2.5));
    CHECK(compares(-2, ">", -2.5));
    CHECK(compares(2, "<", std::nextafter(2.0, 3.0)));
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_FALSE(compares(1, "<=", nan));
    CHECK_FALSE(compares(1, "==", nan));
    CHECK(compares(1, "!=", nan));
    CHECK(parsed("delay == 9223372036854775807").accepts(std::vector<Value>{highest}));
    CHECK_FALSE(parsed("delay == 9223372036854775806").accepts(std::vector<Value>{highest}));
    CHECK(parsed("delay == -9223372036854775808").accepts(std::vector<Value>{lowest}));
}

TEST_CASE("a refused expression names the column and the mend") {
    struct Case {
        std::string_view text;
        std::string_view error;
    };
    const Case cases[] = {
        {"delay == 'x'", "column 10: delay is int and cannot be compared with a string"},
        {"'x' == delay", "column 8: delay is int and cannot be compared with a string"},
        {"delay == carrier", "column 10: delay is int and cannot be compared with carrier, a string"},
        {"delay in [1, 'x']", "column 14: delay is int and cannot be compared with a string"},
        {"delay == true", "column 10: delay is int and cannot be compared with a bool"},
        {"cancelled == 1", "column 14: cancelled is bool and cannot be compared with an int"},
        {"1 == 'x'", "column 6: an int cannot be compared with a string"},
        {"(delay > 1) == 1", "column 16: a condition cannot be compared with an int"},
        {"cancelled < true", "column 11: cancelled is bool and can only be compared with == and !="},
        {"delay", "column 1: delay is int; a condition is needed, such as a comparison"},
        {"cancelled and carrier", "column 15: carrier is string; a condition is needed, such as a comparison"},
        {"not 3", "column 5: an int is not a condition"},
        {"dealy > 3", "column 1: unknown field 'dealy'; did you mean 'delay'?"},
        {"xyzzyxyz > 3", "column 1: unknown field 'xyzzyxyz'"},
        {"carrier == '\xC3\xA9' and dealy > 3", "column 20: unknown field 'dealy'; did you mean 'delay'?"},
        {"cancelled AND maybe", "column 11: expected the end, found 'AND'; did you mean 'and'?"},
        {"nothing == null", "column 12: null cannot be compared; write 'is null' or 'is not null'"},
        {"delay = 3", "column 7: expected '==', found '='"},
        {"", "column 1: expected a field or a value, found the end"},
        {"delay >", "column 8: expected a field or a value, found the end"},
        {"delay > > 3", "column 9: expected a field or a value, found '>'"},
        {"1 < 2 < 3", "column 7: expected the end, found '<'"},
        {"(cancelled", "column 11: expected ')', found the end"},
        {"cancelled)", "column 10: expected the end, found ')'"},
        {"delay in []", "column 11: expected a field or a value, found ']'"},
        {"delay in [1", "column 12: expected ',' or ']', found the end"},
        {"delay in 1", "column 10: expected '[', found '1'"},
        {"delay not 1", "column 11: expected 'in', found '1'"},
        {"delay is 1", "column 10: expected 'null', found '1'"},
        {"delay == -", "column 10: expected a field or a value, found '-'"},
        {"delay == 1e5", "column 10: '1e5' is not a number"},
        {"delay == 1.", "column 10: '1.' is not a number"},
        {"delay == 1.2.3", "column 10: '1.2.3' is not a number"},
        {"delay == 9223372036854775808", "column 10: '9223372036854775808' is out of range"},
        {"carrier == 'x", "column 12: the string that begins here has no end"},
        {"carrier == 'x\\", "column 12: the string that begins here has no end"},
        {"'", "column 1: the string that begins here has no end"},
        {"cancelled & maybe", "column 11: expected the end, found '&'"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        CHECK(error_of(c.text) == c.error);
    }
}

TEST_CASE("texts that differ only in spaces, quotes or redundant parentheses have one normal form") {
    struct Case {
        std::string_view text;
        std::string_view normal;
    };
    const Case cases[] = {
        {" delay>=3 ", "delay >= 3"},
        {"((delay) >= (3))", "delay >= 3"},
        {"carrier == \"a\"", "carrier == 'a'"},
        {"carrier == \"it's \\\\\"", "carrier == 'it\\'s \\\\'"},
        {"(cancelled and maybe) and true", "cancelled and maybe and true"},
        {"cancelled and (maybe and true)", "cancelled and maybe and true"},
        {"cancelled or (maybe and true)", "cancelled or maybe and true"},
        {"(cancelled or maybe) and true", "(cancelled or maybe) and true"},
        {"not (delay == 1)", "not delay == 1"},
        {"not (not cancelled)", "not not cancelled"},
        {"not (cancelled and maybe)", "not (cancelled and maybe)"},
        {"(not cancelled) == true", "(not cancelled) == true"},
        {"(delay   is  not null) is null", "(delay is not null) is null"},
        {"delay not in[1,(2) ,3]", "delay not in [1, 2, 3]"},
        {"fare < -0.50", "fare < -0.5"},
        {"fare < 2.0", "fare < 2.0"},
        {"fare < 100000000000000000000000.0", "fare < 99999999999999991611392.0"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        const std::string normal = parsed(c.text).text();
        CHECK(normal == c.normal);
        CHECK(parsed(normal).text() == normal);
    }
}

TEST_CASE("nesting is bounded, so that a hostile text cannot exhaust the stack") {
    CHECK(truth_of(repeated("(", 100) + "true" + repeated(")", 100)) == Truth::yes);
    CHECK(truth_of(repeated("not ", 100) + "true") == Truth::yes);
    CHECK(error_of(repeated("(", 101) + "true" + repeated(")", 101)) ==
          "column 101: nested more than 100 deep");
    CHECK(error_of(repeated("(", 1'000'000)) == "column 101: nested more than 100 deep");
    CHECK(error_of(repeated("not ", 1'000'000)) == "column 401: nested more than 100 deep");
    CHECK(error_of(repeated("not (", 1'000'000)) == "column 251: nested more than 100 deep");
    CHECK(truth_of("true" + repeated(" and true", 10'000)) == Truth::yes);  // length is not depth
}

TEST_CASE("any sequence of tokens is refused or has a stable normal form with the same truth") {
    const std::vector<std::string_view> tokens = {
        "delay", "fare", "carrier", "cancelled", "nothing", "maybe", "and", "or",   "not", "in", "is",
        "null",  "true", "false",   "==",        "!=",      "<",     ">=",  "(",    ")",   "[",  "]",
        ",",     "1",    "-2.5",    "'a'",       "\"",      "\\",    "=",   "\xC3", "not", "(",  "cancelled"};
    std::mt19937 random(1);
    int accepted = 0;
    for (int i = 0; i < 40'000; ++i) {
        std::string text;
        for (std::size_t n = 1 + random() % 8; n > 0; --n)
            text.append(tokens[random() % tokens.size()]).append(" ");
        const auto first = Expression::parse(text, kFields);
        if (!first) continue;
        ++accepted;
        CAPTURE(text);
        const auto second = Expression::parse(first->text(), kFields);
        REQUIRE(second);
        CHECK(second->text() == first->text());
        CHECK(second->evaluate(kRow) == first->evaluate(kRow));
    }
    CHECK(accepted > 500);
}

TEST_CASE("copies of an expression share what was parsed and outlive the original") {
    std::optional<Expression> original = parsed("carrier == \"it's\" and delay in [7]");
    const Expression copy = *original;
    original.reset();
    CHECK(copy.accepts(kRow));
}
