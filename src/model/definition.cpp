#include "model/definition.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <stdexcept>

#include "model/characters.hpp"

namespace freshet {

std::string_view name_of(Function function) {
    constexpr std::string_view names[] = {"count",    "sum",    "mean",  "min",  "max",
                                          "variance", "stddev", "first", "last", "count_distinct",
                                          "quantile"};
    return names[static_cast<std::size_t>(function)];
}

std::string_view name_of(FieldType type) {
    constexpr std::string_view names[] = {"int", "float", "string", "bool"};
    return names[static_cast<std::size_t>(type)];
}

const Source& Definitions::source_of(const View& view) const {
    for (const Source& source : sources) {
        if (source.name == view.source) return source;
    }
    throw std::logic_error("view " + view.name + " names no source");
}

const View* Definitions::find_view(std::string_view name) const {
    const auto found = std::ranges::find(views, name, &View::name);
    return found == views.end() ? nullptr : &*found;
}

std::optional<Duration> max_staleness(const View& view, const Feature& feature) {
    return feature.freshness.max_staleness ? feature.freshness.max_staleness : view.freshness.max_staleness;
}

OnBreach on_breach(const View& view, const Feature& feature) {
    return feature.freshness.on_breach.value_or(view.freshness.on_breach);
}

std::optional<Duration> tightest_staleness(const View& view) {
    std::optional<Duration> tightest;
    for (const Feature& feature : view.features)
        if (const auto most = max_staleness(view, feature))
            tightest = std::min(tightest.value_or(*most), *most);
    return tightest;
}

FieldType value_type(const Source& source, const Feature& feature) {
    switch (feature.function) {
        case Function::count:
        case Function::count_distinct:
            return FieldType::int64;
        case Function::mean:
        case Function::variance:
        case Function::stddev:
        case Function::quantile:
            return FieldType::float64;
        default:
            return source.fields[*feature.field].type;
    }
}

Duration default_hop(Duration window) {
    using namespace std::chrono_literals;
    constexpr Duration hops[] = {24h, 6h, 1h, 30min, 10min, 5min, 1min, 30s, 10s, 5s};
    for (const Duration hop : hops) {
        if (hop * 60 <= window && window % hop == 0ms) return hop;
    }
    return 1s;
}

namespace {

// The canonical text that is hashed: every part carries its length, so no two definitions share a text.
class Canonical {
public:
    Canonical& add(std::string_view part) {
        text_ += std::to_string(part.size());
        text_ += ':';
        text_ += part;
        return *this;
    }
    Canonical& add(std::int64_t number) { return add(std::string_view{std::to_string(number)}); }
    Canonical& add(Duration duration) { return add(std::int64_t{duration.count()}); }
    template <class T>
    Canonical& add(const std::optional<T>& part) {
        if (!part) return add("none");
        add("some");
        return add(*part);
    }
    Canonical& add(const Expression& expression) { return add(std::string_view{expression.text()}); }

    const std::string& text() const { return text_; }

private:
    std::string text_;
};

std::uint64_t fnv1a(std::string_view text) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 1099511628211ULL;
    }
    return hash;
}

bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

// The words of an expression outside its string literals; a superset of the fields it reads.
void collect_words(std::string_view text, std::set<std::string_view>& words) {
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (c == '\'' || c == '"') {
            for (++i; i < text.size() && text[i] != c; ++i) {
                if (text[i] == '\\') ++i;
            }
            ++i;
        } else if (is_word(c)) {
            const std::size_t start = i;
            while (i < text.size() && is_word(text[i])) ++i;
            words.insert(text.substr(start, i - start));
        } else {
            ++i;
        }
    }
}

std::string shortest(double number) {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number + 0.0).ptr;
    return {buffer.data(), end};
}

void add_time(Canonical& canonical, const TimeSpec& time) {
    using Format = TimeSpec::Format;
    canonical.add("time").add(static_cast<std::int64_t>(time.format));
    if (time.format == Format::kafka) return;
    canonical.add(static_cast<std::int64_t>(time.path.size()));
    for (const std::string& step : time.path) canonical.add(step);
    if (time.format == Format::pattern) canonical.add(time.pattern).add(time.zone);
}

// What the names of fields stand for, in the order of the names, so that the order of declaration does not
// matter.
void add_fields(Canonical& canonical, const Source& source, std::set<std::string_view> used,
                const std::optional<Expression>& where) {
    if (where) collect_words(where->text(), used);
    for (const std::string_view name : used) {
        const auto field = std::ranges::find(source.fields, name, &FieldDef::name);
        if (field == source.fields.end()) continue;
        canonical.add("field").add(field->name).add(name_of(field->type));
        canonical.add(static_cast<std::int64_t>(field->path.size()));
        for (const std::string& step : field->path) canonical.add(step);
    }
}

}  // namespace

std::uint64_t fingerprint(const Source& source, const View& view) {
    Canonical canonical;
    canonical.add("freshet view 2").add(source.topic);
    add_time(canonical, source.time);
    std::set<std::string_view> used;
    for (const std::size_t column : view.entity) used.insert(source.fields[column].name);
    add_fields(canonical, source, std::move(used), view.where);
    canonical.add(source.max_future).add(source.max_jump);
    canonical.add("entity").add(static_cast<std::int64_t>(view.entity.size()));
    for (const std::size_t column : view.entity) canonical.add(source.fields[column].name);
    canonical.add(view.clock == View::Clock::event ? "event" : "wall").add(view.where);
    return fnv1a(canonical.text());
}

std::uint64_t fingerprint(const Source& source, const Feature& feature) {
    Canonical canonical;
    canonical.add("freshet feature 1").add(name_of(feature.function));
    std::set<std::string_view> used;
    if (feature.field) used.insert(source.fields[*feature.field].name);
    canonical.add(feature.field ? std::string_view{source.fields[*feature.field].name} : "*");
    if (feature.function == Function::quantile) canonical.add(shortest(feature.q));
    canonical.add(feature.window).add(feature.hop).add(feature.where);
    add_fields(canonical, source, std::move(used), feature.where);
    return fnv1a(canonical.text());
}

}  // namespace freshet
