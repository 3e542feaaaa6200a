#include "io/stored/column_encoder.hpp"

#include <bit>
#include <type_traits>

namespace freshet {

namespace {

using namespace column_tag;

std::int64_t difference(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

class ColumnWriter {
public:
    ColumnWriter(RowLayout::Column column, std::span<const ConstRow> rows, WireWriter& out)
        : column_(column), rows_(rows), out_(out) {}

    template <class State, class Of>
    bool any(const Of& of) const {
        for (const ConstRow row : rows_)
            if (of(state<State>(row))) return true;
        return false;
    }

    // Left out if all counts are zero, or all are one and `others` says that another list is there.
    template <class State, class Of>
    void counts(const Of& of, bool others) const {
        const auto needed = [&](const State& s) { return of(s) != (others ? 1 : 0); };
        if (any<State>(needed)) list<State>(kCount, [&](const State& s) { out_.varint(of(s)); });
    }
    template <class State, class Of>
    void integers(std::uint8_t tag, const Of& of) const {
        if (any<State>([&](const State& s) { return of(s) != 0; }))
            list<State>(tag, [&](const State& s) { out_.sint(of(s)); });
    }
    template <class State, class Of>
    void reals(std::uint8_t tag, const Of& of) const {
        if (any<State>([&](const State& s) { return std::bit_cast<std::uint64_t>(of(s)) != 0; }))
            list<State>(tag, [&](const State& s) { out_.fixed(of(s)); });
    }
    template <class State, class Write>
    void list(std::uint8_t tag, const Write& write) const {
        const std::size_t opened = out_.open(tag);
        for (const ConstRow row : rows_) write(state<State>(row));
        out_.close(opened);
    }
    // `write(state)` writes the bytes of a state, nothing for an empty one.
    template <class State, class Write>
    void blobs(const Write& write) const {
        for (const ConstRow row : rows_) {
            const std::size_t opened = out_.open(kBlob);
            write(state<State>(row));
            out_.close(opened);
        }
    }

private:
    template <class State>
    const State& state(ConstRow row) const {
        return *static_cast<const State*>(row.state(column_));
    }

    RowLayout::Column column_;
    std::span<const ConstRow> rows_;
    WireWriter& out_;
};

void encode_sums(const ColumnWriter& w, WireWriter& out) {
    const auto count = [](const SumIntState& s) { return s.n; };
    const auto low = [](const SumIntState& s) { return static_cast<std::int64_t>(s.low); };
    const bool wide = w.any<SumIntState>([&](const SumIntState& s) { return s.high != low(s) >> 63; });
    w.counts<SumIntState>(count, wide || w.any<SumIntState>([](const SumIntState& s) { return s.low != 0; }));
    w.integers<SumIntState>(kInteger, low);
    if (wide) w.list<SumIntState>(kHigh, [&](const SumIntState& s) { out.sint(s.high); });
}

void encode_sums_of_doubles(const ColumnWriter& w) {
    const auto not_zero = [](const SumFloatState& s) { return std::bit_cast<std::uint64_t>(s.sum) != 0; };
    w.counts<SumFloatState>([](const SumFloatState& s) { return s.n; }, w.any<SumFloatState>(not_zero));
    w.reals<SumFloatState>(kReal, [](const SumFloatState& s) { return s.sum; });
}

void encode_moments(const ColumnWriter& w) {
    const auto not_zero = [](const MomentsState& s) {
        return (std::bit_cast<std::uint64_t>(s.mean) | std::bit_cast<std::uint64_t>(s.m2)) != 0;
    };
    w.counts<MomentsState>([](const MomentsState& s) { return s.n; }, w.any<MomentsState>(not_zero));
    w.reals<MomentsState>(kReal, [](const MomentsState& s) { return s.mean; });
    w.reals<MomentsState>(kSpread, [](const MomentsState& s) { return s.m2; });
}

template <class T>
void encode_extremes(const ColumnWriter& w) {
    using State = ExtremeState<T>;
    const auto bits = [](const State& s) { return std::bit_cast<std::uint64_t>(s.value); };
    w.counts<State>([](const State& s) -> std::uint64_t { return s.present; }, w.any<State>(bits));
    const auto value = [](const State& s) { return s.value; };
    if constexpr (std::is_same_v<T, double>) {
        w.reals<State>(kReal, value);
    } else {
        w.integers<State>(kInteger, value);
    }
}

// The distance of each value from the one before, beginning at `base`.
template <class Of>
void encode_distances(const ColumnWriter& w, std::uint8_t tag, std::int64_t base, const Of& of,
                      WireWriter& out) {
    if (!w.any<OrderedState>([&](const OrderedState& s) { return s.present() && of(s) != base; })) return;
    w.list<OrderedState>(tag, [&](const OrderedState& s) {
        out.sint(s.present() ? difference(of(s), base) : 0);
        if (s.present()) base = of(s);
    });
}

template <class T>
T value_or_zero(const OrderedState& s) {
    const T* value = std::get_if<T>(&s.value);
    return value ? *value : T{};
}

template <class T>
bool has_any(const ColumnWriter& w) {
    return w.any<OrderedState>([](const OrderedState& s) { return std::holds_alternative<T>(s.value); });
}

// One of the lists of values is always written, since it tells their type.
void encode_ordered(const ColumnWriter& w, const ColumnBase& base, WireWriter& out) {
    using State = OrderedState;
    w.counts<State>([](const State& s) -> std::uint64_t { return s.present(); },
                    w.any<State>([](const State& s) { return s.present(); }));
    if (has_any<std::int64_t>(w))
        w.list<State>(kInteger, [&](const State& s) { out.sint(value_or_zero<std::int64_t>(s)); });
    if (has_any<double>(w)) w.list<State>(kReal, [&](const State& s) { out.fixed(value_or_zero<double>(s)); });
    encode_distances(
        w, kTime, unix_ms(base.time), [](const State& s) { return unix_ms(s.time); }, out);
    encode_distances(
        w, kOffset, base.offset.value, [](const State& s) { return s.offset.value; }, out);
    if (has_any<bool>(w)) w.list<State>(kFlag, [&](const State& s) { out.byte(value_or_zero<bool>(s)); });
    if (has_any<std::string>(w)) {
        w.blobs<State>([&](const State& s) {
            if (s.present()) out.raw(std::get<std::string>(s.value));
        });
    }
}

void encode_distincts(const ColumnWriter& w, WireWriter& out) {
    if (!w.any<HyperLogLog>([](const HyperLogLog& s) { return !s.empty(); })) return;
    w.blobs<HyperLogLog>([&](const HyperLogLog& s) {
        if (!s.empty()) out.appended([&](std::string& bytes) { s.append_to(bytes); });
    });
}

void encode_quantiles(const ColumnWriter& w, WireWriter& out) {
    if (!w.any<DDSketch>([](const DDSketch& s) { return !s.empty(); })) return;
    w.blobs<DDSketch>([&](const DDSketch& s) {
        if (!s.empty()) out.written(s.most_stored_bytes(), [&](char* at) { return s.store(at); });
    });
}

}  // namespace

void encode_column(RowLayout::Column column, std::span<const ConstRow> rows, const ColumnBase& base,
                   WireWriter& out) {
    const ColumnWriter writer(column, rows, out);
    switch (column.kind) {
        case AccumulatorKind::count:
            return writer.counts<CountState>([](const CountState& s) { return s.n; }, false);
        case AccumulatorKind::sum_int:
            return encode_sums(writer, out);
        case AccumulatorKind::sum_float:
            return encode_sums_of_doubles(writer);
        case AccumulatorKind::moments:
            return encode_moments(writer);
        case AccumulatorKind::min_int:
        case AccumulatorKind::max_int:
            return encode_extremes<std::int64_t>(writer);
        case AccumulatorKind::min_float:
        case AccumulatorKind::max_float:
            return encode_extremes<double>(writer);
        case AccumulatorKind::first:
        case AccumulatorKind::last:
            return encode_ordered(writer, base, out);
        case AccumulatorKind::distinct:
            return encode_distincts(writer, out);
        case AccumulatorKind::quantile:
            return encode_quantiles(writer, out);
    }
}

}  // namespace freshet
