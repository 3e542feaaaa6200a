#include "io/stored/column_decoder.hpp"

#include <type_traits>
#include <utility>

namespace freshet {

namespace {

using namespace column_tag;
using Ordered = std::unique_ptr<OrderedState>;
using Sketch = std::unique_ptr<DDSketch>;

// No sum of events gets there; with it, sums read from outside may be added without overflow.
constexpr std::int64_t kHighLimit = std::int64_t{1} << 56;

std::int64_t sum(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

// A packed list; one that is left out gives the same value for ever.
class List {
public:
    List(WireReader& column, std::uint8_t tag) : here_(column.next(tag)) {
        if (here_) elements_ = WireReader(column.bytes());
    }

    bool here() const { return here_; }
    bool done() const { return elements_.done(); }
    std::uint64_t unsigned_or(std::uint64_t otherwise) { return here_ ? elements_.varint() : otherwise; }
    std::int64_t integer_or(std::int64_t otherwise) { return here_ ? elements_.sint() : otherwise; }
    double real() { return here_ ? elements_.fixed<double>() : 0; }

private:
    bool here_;
    WireReader elements_;
};

// A column whose rows go where Rows says: rows.each<State>(set) calls set(state) for each row until one returns
// false.
template <class Rows>
class ColumnReader {
public:
    ColumnReader(std::string_view bytes, Rows rows)
        : default_count_(bytes.empty() ? 0 : 1), bytes_(bytes), rows_(rows) {}

    List list(std::uint8_t tag) { return List(bytes_, tag); }
    bool next_blob(std::string_view& blob) {
        if (!bytes_.next(kBlob)) return false;
        blob = bytes_.bytes();
        return bytes_.ok();
    }
    std::uint64_t count(List& counts) const { return counts.unsigned_or(default_count_); }
    bool empty() const { return default_count_ == 0; }

    // Whether all of the column and of its lists was read, and no more.
    bool done(const auto&... lists) const { return bytes_.done() && (lists.done() && ...); }

    template <class State>
    bool each(const auto& set) {
        return rows_.template each<State>(set);
    }

private:
    std::uint64_t default_count_;
    WireReader bytes_;
    Rows rows_;
};

// Each row has a state of its own.
class SeparateRows {
public:
    SeparateRows(std::span<States* const> rows, std::size_t column) : rows_(rows), column_(column) {}

    template <class State>
    bool each(const auto& set) {
        for (States* row : rows_) {
            AccumulatorState& held = (*row)[column_];
            auto* same = std::get_if<State>(&held);
            if (!set(same ? *same : held.emplace<State>())) return false;
        }
        return true;
    }

private:
    std::span<States* const> rows_;
    std::size_t column_;
};

}  // namespace

// The selected rows become one state.
class FoldedRows {
public:
    FoldedRows(std::span<const char> selected, Fold& fold) : selected_(selected), fold_(fold) {}

    template <class State>
    bool each(const auto& set) {
        auto& row = std::get<State>(fold_.row_);
        auto& sum = std::get<State>(fold_.sum_);
        for (const char selected : selected_) {
            if (!set(row)) return false;
            if (!selected) continue;
            if (std::exchange(fold_.any_, true)) {
                merge_states(fold_.kind_, sum, row);
            } else {
                std::swap(row, sum);
            }
        }
        return true;
    }

private:
    std::span<const char> selected_;
    Fold& fold_;
};

namespace {

template <class Rows>
bool decode_counts(ColumnReader<Rows>& r) {
    List counts = r.list(kCount);
    r.template each<CountState>([&](CountState& s) {
        s.n = r.count(counts);
        return true;
    });
    return r.done(counts);
}

template <class Rows>
bool decode_sums(ColumnReader<Rows>& r) {
    List counts = r.list(kCount);
    List low = r.list(kInteger);
    List high = r.list(kHigh);
    const bool in_range = r.template each<SumIntState>([&](SumIntState& s) {
        const std::int64_t sum = low.integer_or(0);
        s = {r.count(counts), static_cast<std::uint64_t>(sum), high.integer_or(sum >> 63)};
        return -kHighLimit < s.high && s.high < kHighLimit;
    });
    return in_range && r.done(counts, low, high);
}

template <class Rows>
bool decode_sums_of_doubles(ColumnReader<Rows>& r) {
    List counts = r.list(kCount);
    List sums = r.list(kReal);
    r.template each<SumFloatState>([&](SumFloatState& s) {
        s = {r.count(counts), sums.real()};
        return true;
    });
    return r.done(counts, sums);
}

template <class Rows>
bool decode_moments(ColumnReader<Rows>& r) {
    List counts = r.list(kCount);
    List means = r.list(kReal);
    List spreads = r.list(kSpread);
    r.template each<MomentsState>([&](MomentsState& s) {
        s = {r.count(counts), means.real(), spreads.real()};
        return true;
    });
    return r.done(counts, means, spreads);
}

template <class T, class Rows>
bool decode_extremes(ColumnReader<Rows>& r) {
    List present = r.list(kCount);
    List values = r.list(std::is_same_v<T, double> ? kReal : kInteger);
    const bool in_range = r.template each<ExtremeState<T>>([&](ExtremeState<T>& s) {
        const std::uint64_t count = r.count(present);
        s.present = count == 1;
        if constexpr (std::is_same_v<T, double>) {
            s.value = values.real();
        } else {
            s.value = values.integer_or(0);
        }
        return count <= 1;
    });
    return in_range && r.done(present, values);
}

void set_text(Scalar& value, std::string_view text) {
    if (auto* same = std::get_if<std::string>(&value)) {
        same->assign(text);
    } else {
        value.emplace<std::string>(text);
    }
}

template <class Rows>
bool decode_ordered(ColumnReader<Rows>& r, const ColumnBase& base) {
    List present = r.list(kCount);
    List integers = r.list(kInteger);
    List reals = r.list(kReal);
    List times = r.list(kTime);
    List offsets = r.list(kOffset);
    List flags = r.list(kFlag);
    const bool texts = !r.empty() && !integers.here() && !reals.here() && !flags.here();
    if (integers.here() + reals.here() + flags.here() > 1) return false;

    std::int64_t time = unix_ms(base.time);
    std::int64_t offset = base.offset.value;
    const bool in_range = r.template each<Ordered>([&](Ordered& s) {
        const std::uint64_t count = r.count(present);
        time = sum(time, times.integer_or(0));
        offset = sum(offset, offsets.integer_or(0));
        const std::int64_t integer = integers.integer_or(0);
        const double real = reals.real();
        const std::uint64_t flag = flags.unsigned_or(0);
        std::string_view text;
        if (texts && !r.next_blob(text)) return false;
        if (count == 0) {
            s.reset();
            return text.empty();
        }
        if (!s) s = std::make_unique<OrderedState>();
        s->time = from_unix_ms(time);
        s->partition = base.partition;
        s->offset = Offset{offset};
        if (texts) {
            set_text(s->value, text);
        } else if (integers.here()) {
            s->value = integer;
        } else if (reals.here()) {
            s->value = real;
        } else {
            s->value = flag == 1;
        }
        return count == 1 && flag <= 1;
    });
    return in_range && r.done(present, integers, reals, times, offsets, flags);
}

template <class Rows>
bool decode_distincts(ColumnReader<Rows>& r) {
    const bool parsed = r.template each<HyperLogLog>([&](HyperLogLog& s) {
        std::string_view bytes;
        if (!r.empty() && !r.next_blob(bytes)) return false;
        if (bytes.empty()) {
            s = {};
            return true;
        }
        auto sketch = HyperLogLog::parse(bytes);
        if (sketch) s = *std::move(sketch);
        return static_cast<bool>(sketch);
    });
    return parsed && r.done();
}

template <class Rows>
bool decode_quantiles(ColumnReader<Rows>& r) {
    const bool parsed = r.template each<Sketch>([&](Sketch& s) {
        std::string_view bytes;
        if (!r.empty() && !r.next_blob(bytes)) return false;
        if (bytes.empty()) {
            s.reset();
            return true;
        }
        auto sketch = DDSketch::parse(bytes);
        if (!sketch) return false;
        if (!s) s = std::make_unique<DDSketch>();
        *s = *std::move(sketch);
        return true;
    });
    return parsed && r.done();
}

bool fold_quantiles(ColumnReader<FoldedRows> r, std::span<const char> selected, DDSketchUnion& sketches) {
    if (r.empty()) return true;
    for (const char is_selected : selected) {
        std::string_view bytes;
        if (!r.next_blob(bytes)) return false;
        if (is_selected && !bytes.empty() && !sketches.add(bytes)) return false;
    }
    return r.done();
}

template <class Rows>
bool decode(AccumulatorKind kind, ColumnReader<Rows> reader, const ColumnBase& base) {
    switch (kind) {
        case AccumulatorKind::count:
            return decode_counts(reader);
        case AccumulatorKind::sum_int:
            return decode_sums(reader);
        case AccumulatorKind::sum_float:
            return decode_sums_of_doubles(reader);
        case AccumulatorKind::moments:
            return decode_moments(reader);
        case AccumulatorKind::min_int:
        case AccumulatorKind::max_int:
            return decode_extremes<std::int64_t>(reader);
        case AccumulatorKind::min_float:
        case AccumulatorKind::max_float:
            return decode_extremes<double>(reader);
        case AccumulatorKind::first:
        case AccumulatorKind::last:
            return decode_ordered(reader, base);
        case AccumulatorKind::distinct:
            return decode_distincts(reader);
        case AccumulatorKind::quantile:
            return decode_quantiles(reader);
    }
    return false;
}

}  // namespace

bool decode_column(AccumulatorKind kind, std::string_view bytes, std::span<States* const> rows,
                   std::size_t column, const ColumnBase& base) {
    return decode(kind, ColumnReader(bytes, SeparateRows(rows, column)), base);
}

Fold::Fold(AccumulatorKind kind)
    : kind_(kind), empty_(make_state(kind)), sum_(make_state(kind)), row_(make_state(kind)) {}

void Fold::restart() {
    any_ = false;
    sketches_.clear();
}

bool Fold::add(std::string_view column, std::span<const char> selected, const ColumnBase& base) {
    if (kind_ == AccumulatorKind::quantile)
        return fold_quantiles(ColumnReader(column, FoldedRows(selected, *this)), selected, sketches_);
    return decode(kind_, ColumnReader(column, FoldedRows(selected, *this)), base);
}

FeatureValue Fold::finish(Function function, double q) {
    if (kind_ != AccumulatorKind::quantile) return freshet::finish(function, q, any_ ? sum_ : empty_);
    const auto value = sketches_.quantile(q);
    return value ? FeatureValue{*value} : FeatureValue{};
}

}  // namespace freshet
