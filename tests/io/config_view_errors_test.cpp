// What load_config says of wrong views, features and services.
#include "support/config_errors.hpp"

namespace freshet {
namespace {

using namespace test::config_errors;

TEST_CASE("a wrong view is told with its place and the mend") {
    check_table(R"(
{}
    3:6: view v has no "source"; add it, such as source: events
{source: x, entity: name, features: {c: {count: "*", window: 1h}}}
    3:15: view v: unknown source "x"; there are: s
{source: s, features: {c: {count: "*", window: 1h}}}
    3:6: view v has no "entity"; add it, such as entity: user_id
{source: s, entity: nam, features: {c: {count: "*", window: 1h}}}
    3:26: view v.entity: unknown field "nam"; did you mean "name"? (of source s)
{source: s, entity: x, features: {c: {count: "*", window: 1h}}}
    3:26: view v.entity: x is a float, which does not identify anything; use an int, string or bool field
{source: s, entity: [n, n], features: {c: {count: "*", window: 1h}}}
    3:30: view v.entity names n twice; remove one
{source: s, entity: n}
    3:6: view v has no "features"; add it, such as features: {events_1h: {count: "*", window: 1h}}
{source: s, entity: n, features: {}}
    3:39: view v has no features; write {events_1h: {count: "*", window: 1h}}
{source: s, entity: n, features: {c: {count: "*", window: 1h}, c: {count: n, window: 1h}}}
    3:69: the key "c" is already written in line 3; remove or rename one of the two
{source: s, entity: n, features: {Count: {count: "*", window: 1h}}}
    3:40: "Count" cannot name a feature; write a lower-case letter and at most 63 further of a-z, 0-9 and _, such as "count"
)",
                kSource + "views:\n  v: ");
}

TEST_CASE("a wrong option of a view is told with its place and the mend") {
    check_table(R"(
version: 0
    3:79: view v.version is out of range; write a number from 1 to 1000000
version: 1.5
    3:79: view v.version: "1.5" is not a whole number; write it in plain decimal digits
clock: evnt
    3:77: view v.clock: unknown value "evnt"; did you mean "event"?
start: sometime
    3:77: view v.start: "sometime" is no start; write earliest, latest or a time with its zone, such as 2024-05-01T00:00:00Z
retain: 1
    3:78: view v.retain: "1" has no unit; write 1s for seconds, or ms, m, h, d
where: n >
    3:80: view v.where: expected a field or a value, found the end; write it like amount > 10 and country in ['de', 'fr']
where: "nn > 1"
    3:78: view v.where: unknown field 'nn'; did you mean 'n'?
where: 'name > 1'
    3:85: view v.where: name is string and cannot be compared with an int; write it like amount > 10 and country in ['de', 'fr']
"where": "n\u0020> x x"
    3:79: view v.where: column 7: expected the end, found 'x'; write it like amount > 10 and country in ['de', 'fr']
freshness: 5s
    3:81: view v.freshness has a single value; write a map with keys among: max_staleness, on_breach, cache_for
freshness: 
    3:70: view v.freshness is empty; write {max_staleness: 5s}
freshness: {}
    3:81: view v.freshness has no "max_staleness"; add it, such as max_staleness: 5s
freshness: {max_staleness: 0s}
    3:97: view v.freshness.max_staleness is below 1s, but freshness is measured about once a second; write at least 1s, better 3s
freshness: {max_staleness: -1s}
    3:97: view v.freshness.max_staleness is negative; write at least 1s
freshness: {cache_for: -1s}
    3:93: view v.freshness.cache_for is negative; write 100ms, or 0s for none
freshness: {max_staleness: 2s, cache_for: 2s}
    3:112: view v.freshness.cache_for is not below max_staleness, so that what is kept would be stale before it is read again; write at most half of max_staleness
freshness: {max_staleness: 500ms}
    3:97: view v.freshness.max_staleness is below 1s, but freshness is measured about once a second; write at least 1s, better 3s
freshness: {max_staleness: 5s, on_breach: nul}
    3:112: view v.freshness.on_breach: unknown value "nul"; did you mean "null"?
freshness: {max_staleness: 5s, on_breach: }
    3:101: view v.freshness.on_breach has no value; write one of flag, null, default, error, or remove the key
priority: high
    3:80: view v.priority is low or normal, since all views of a source are counted together; write `priority: high` at the source, or `priority: low` at the views that may be left out for others
priority: lo
    3:80: view v.priority: unknown value "lo"; did you mean "low"?
priority:
    3:70: view v.priority has no value; write one of low, normal, or remove the key
owner: Risk
    3:77: view v.owner: "Risk" cannot name an owner; write a lower-case letter and at most 63 further of a-z, 0-9, _ and -
owner: [risk]
    3:77: view v.owner has a list; write text
entities: n
    3:70: unknown key "entities"; write "entity" (in view v)
ttl: 1d
    3:70: unknown key "ttl"; there are: version, source, entity, clock, start, where, retain, features, freshness, priority, owner (in view v)
)",
                kSource + "views:\n  v: {source: s, entity: n, features: {c: {count: \"*\", window: 1h}}, ",
                "}");
}

TEST_CASE("a wrong feature is told with its place and the mend") {
    check_table(R"(
5
    7:10: feature v.f has a single value; write a map with keys among: count, sum, mean, min, max, variance, stddev, first, last, count_distinct, quantile, q, window, hop, where, freshness, default
{}
    7:10: feature v.f has no aggregate; add one, such as count: "*" or mean: amount
{count: "*"}
    7:10: feature v.f has no window; add one, such as window: 1h or window: lifetime
{count: *, window: 1h}
    7:19: this is not valid YAML (alias not found after *); put * in quotes, as in {count: "*"}
{count: "*", mean: n, window: 1h}
    7:23: feature v.f has two aggregates, count and mean; make two features of it
{avg: n, window: 1h}
    7:11: unknown key "avg"; write "mean" (in feature v.f)
{mean: m, window: 1h}
    7:17: feature v.f: unknown field "m"; there are: n, x, name, ok (of source s)
{mean: name, window: 1h}
    7:17: feature v.f: mean needs a number, but name is a string; name an int or float field, or use count, count_distinct, first or last
{quantile: name, q: 0.5, window: 1h}
    7:21: feature v.f: quantile needs a number, but name is a string; name an int or float field, or use count, count_distinct, first or last
{sum: "*", window: 1h}
    7:16: feature v.f: only count takes "*"; name a field after sum
{quantile: n, window: 1h}
    7:21: feature v.f: quantile needs q; add q: 0.95 for the 95th percentile
{quantile: n, q: 1.5, window: 1h}
    7:27: feature v.f.q is out of range; write a number from 0 to 1, such as 0.95
{quantile: n, q: nan, window: 1h}
    7:27: feature v.f.q: "nan" is not a number; write one such as 0.95
{quantile: n, q: "0.5", window: 1h}
    7:27: feature v.f.q is text; write a number without quotes
{mean: n, q: 0.5, window: 1h}
    7:23: feature v.f: q only goes with quantile; remove it
{mean: n, window: 1h, hop: 7m}
    7:37: feature v.f.hop of 7m does not divide the window of 1h; the nearest that does is 400s
{mean: n, window: 1h, hop: 2h}
    7:37: feature v.f.hop is longer than 1h, its window; write one that divides the window
{mean: n, window: 1h, hop: 500ms}
    7:37: feature v.f.hop is not a whole number of seconds, at least one; write 1s
{mean: n, window: 1500ms}
    7:28: feature v.f.window is not a whole number of seconds, at least one; write 2s
{mean: n, window: 0s}
    7:28: feature v.f.window is not a whole number of seconds, at least one; write 1s
{mean: n, window: 3651d}
    7:28: feature v.f.window is longer than 3650d; write a shorter one, or window: lifetime
{mean: n, window: one hour}
    7:28: feature v.f.window: "one hour" is not a duration; write a whole number and one unit, such as 500ms, 30s, 5m, 1h or 7d
{mean: n, window: lifetime, hop: 1d}
    7:43: feature v.f: a lifetime window has no hop; remove it
{mean: n, window: 1h, where: delay > 3}
    7:39: feature v.f.where: unknown field 'delay'; there are: n, x, name, ok
{mean: n, window: 1h, where: "n = 3"}
    7:42: feature v.f.where: expected '==', found '='; write it like amount > 10 and country in ['de', 'fr']
{last_n: n, window: 1h}
    7:11: the key "last_n" is not supported yet; there are: count, sum, mean, min, max, variance, stddev, first, last, count_distinct, quantile, q, window, hop, where, freshness, default (in feature v.f)
{count: "*", window: {tumbling: 1d}}
    7:31: feature v.f: tumbling windows are not supported yet; write a sliding one, such as window: 1h, or window: lifetime
{count: "*", window: session}
    7:31: feature v.f: session windows are not supported yet; write a sliding one, such as window: 1h, or window: lifetime
{count: "*", window: 1h, freshness: 5s}
    7:46: feature v.f.freshness has a single value; write a map with keys among: max_staleness, on_breach
{count: "*", window: 1h, freshness: {}}
    7:46: feature v.f.freshness is empty; write {max_staleness: 5s}, or {on_breach: null} to differ from the view in that alone
{count: "*", window: 1h, freshness: {max_staleness: 0s}}
    7:62: feature v.f.freshness.max_staleness is below 1s, but freshness is measured about once a second; write at least 1s, better 3s
{count: "*", window: 1h, freshness: {max_staleness: -3s}}
    7:62: feature v.f.freshness.max_staleness is negative; write at least 1s
{count: "*", window: 1h, freshness: {max_staleness: 5s, cache_for: 1s}}
    7:66: unknown key "cache_for"; there are: max_staleness, on_breach (in feature v.f.freshness)
{count: "*", window: 1h, freshness: {max_staleness: 5s, on_breach: nil}}
    7:77: feature v.f.freshness.on_breach: unknown value "nil"; there are: flag, null, default, error
{count: "*", window: 1h, freshness: {on_breach: null}}
    7:58: feature v.f.freshness.on_breach never applies, since neither the feature nor the view has a max_staleness; add one, such as max_staleness: 5s
{count: "*", window: 1h, default: 1.5}
    7:44: feature v.f.default: "1.5" is not a whole number; write it in plain decimal digits
{mean: n, window: 1h, default: none}
    7:41: feature v.f.default: "none" is not a number; write one such as 0.95
{last: ok, window: 1h, default: maybe}
    7:42: feature v.f.default: unknown value "maybe"; there are: false, true
)",
                kSource + "views:\n  v:\n    source: s\n    entity: name\n    features:\n      f: ");
}

TEST_CASE("a wrong service is told with its place and the mend") {
    check_table(R"(
[]
    4:6: service m is not a list of features; write [view.feature, view.feature]
[c]
    4:7: service m: "c" is not view.feature; write the view, a dot and the feature
[w.c]
    4:7: service m: unknown view "w"; there are: v
[vv.c]
    4:7: service m: unknown view "vv"; did you mean "v"?
[v.d]
    4:7: service m: unknown feature "d"; there are: c (of view v)
[v.c, v.c]
    4:12: service m holds v.c twice; remove one
)",
                kSource + kView + "services:\n  m: ");
}

}  // namespace
}  // namespace freshet
