// What encodings cost: nanoseconds of CPU to write and to read a value, and its bytes. Each codec first reads
// back what it wrote, for every sample; then all are timed in turn. scripts/bench serialization prints the
// ratios.
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "serialization/codec.hpp"
#include "serialization/freshet_codecs.hpp"

namespace freshet::bench {
namespace {

struct Options {
    int turns = 5;
    double seconds = 0.05;  // a codec, a direction and a turn
    std::string only_kind, only_codec;
};

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Over and over all samples.
double ns_a_value(double seconds, const auto& work) {
    const double began = thread_seconds();
    std::size_t rounds = 0;
    double used = 0;
    do {
        for (std::size_t i = 0; i < kSamples; ++i) work(i);
        ++rounds;
        used = thread_seconds() - began;
    } while (used < seconds);
    return used / static_cast<double>(rounds * kSamples) * 1e9;
}

// Bytes of the samples with room behind each.
struct Encoded {
    std::vector<std::string> padded;

    std::string_view operator[](std::size_t i) const {
        return std::string_view(padded[i]).substr(0, padded[i].size() - kPadding);
    }
    double mean_bytes() const {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < padded.size(); ++i) sum += (*this)[i].size();
        return static_cast<double>(sum) / static_cast<double>(padded.size());
    }
};

class Contender {
public:
    Contender(std::string name, CodecPtr codec) : name_(std::move(name)), codec_(std::move(codec)) {
        for (std::size_t i = 0; i < kSamples; ++i)
            encoded_.padded.push_back(std::string(codec_->encode(i)) + std::string(kPadding, '\0'));
        for (std::size_t i = 0; i < kSamples; ++i) {
            codec_->decode(encoded_[i]);
            if (!codec_->holds(i) || codec_->holds((i + 1) % kSamples))
                throw std::runtime_error(name_ + ": reads other than was written");
        }
    }

    const std::string& name() const { return name_; }
    void turn(double seconds) {
        encode_ns_.push_back(ns_a_value(seconds, [this](std::size_t i) { codec_->encode(i); }));
        decode_ns_.push_back(ns_a_value(seconds, [this](std::size_t i) { codec_->decode(encoded_[i]); }));
    }
    nlohmann::json result() const {
        return {
            {"codec", name_}, {"bytes", encoded_.mean_bytes()}, {"encode", encode_ns_}, {"decode", decode_ns_}};
    }

private:
    std::string name_;
    CodecPtr codec_;
    Encoded encoded_;
    std::vector<double> encode_ns_, decode_ns_;
};

class Study {
public:
    explicit Study(const Options& options) : options_(options) {}

    void run() {
        for (const std::string& name : kind_names()) {
            if (!options_.only_kind.empty() && name != options_.only_kind) continue;
            const Kind kind = make_kind(name);
            heads(kind);
            if (!kind.samples[0].sealed.empty()) chunks(kind);
            rows(kind);
        }
        std::printf("%s\n", results_.dump().c_str());
    }

private:
    void heads(const Kind& kind) {
        const std::vector<std::string> stored = stored_by(*head_codec(kind));
        const std::vector<StoredValue> values = values_of(stored, value_of_head);
        auto contenders = stored_contenders(head_codec(kind), protobuf_head_codec(stored), values);
        contenders.emplace_back("freshet in place", in_place_codec(kind));
        measure(kind.name, "head", contenders);
    }
    void chunks(const Kind& kind) {
        const std::vector<std::string> stored = stored_by(*chunk_codec(kind));
        const std::vector<StoredValue> values = values_of(stored, value_of_chunk);
        auto contenders = stored_contenders(chunk_codec(kind), protobuf_chunk_codec(stored), values);
        measure(kind.name, "chunk", contenders);
    }
    void rows(const Kind& kind) {
        const std::vector<Row> rows = rows_of(kind);
        const RowSchema schema = schema_of(kind, rows);
        std::vector<Contender> contenders;
        contenders.emplace_back("resp3", resp_codec(rows));
        contenders.emplace_back("json", json_codec(rows, schema));
        contenders.emplace_back("nlohmann", nlohmann_codec(rows, schema));
        contenders.emplace_back("msgpack", msgpack_codec(rows, schema));
        contenders.emplace_back("protobuf", protobuf_codec(rows));
        contenders.emplace_back("raw", raw_codec(rows, schema));
        measure(kind.name, "row", contenders);
    }

    static std::vector<Contender> stored_contenders(CodecPtr ours, CodecPtr protobuf,
                                                    std::span<const StoredValue> values) {
        std::vector<Contender> contenders;
        contenders.emplace_back("freshet", std::move(ours));
        contenders.emplace_back("json", json_codec(values));
        contenders.emplace_back("nlohmann", nlohmann_codec(values));
        contenders.emplace_back("msgpack", msgpack_codec(values));
        contenders.emplace_back("protobuf", std::move(protobuf));
        contenders.emplace_back("raw", raw_codec(values));
        return contenders;
    }
    static std::vector<std::string> stored_by(Codec& codec) {
        std::vector<std::string> stored;
        for (std::size_t i = 0; i < kSamples; ++i) stored.emplace_back(codec.encode(i));
        return stored;
    }
    static std::vector<StoredValue> values_of(std::span<const std::string> stored, const auto& value_of) {
        std::vector<StoredValue> values;
        for (const std::string& bytes : stored) values.push_back(value_of(bytes));
        return values;
    }
    static RowSchema schema_of(const Kind& kind, std::span<const Row> rows) {
        RowSchema schema;
        for (const FeaturePlan& feature : kind.view().features()) schema.names.push_back(feature.name);
        schema.types.resize(schema.names.size());
        for (const Row& row : rows)
            for (std::size_t i = 0; i < row.size(); ++i)
                schema.types[i] = std::max(schema.types[i], row[i].index());
        return schema;
    }

    void measure(const std::string& kind, const char* what, std::vector<Contender>& contenders) {
        const auto left_out = [this](const Contender& c) {
            return !options_.only_codec.empty() && c.name() != options_.only_codec;
        };
        std::erase_if(contenders, left_out);
        for (int turn = 0; turn < options_.turns; ++turn)
            for (Contender& contender : contenders) contender.turn(options_.seconds);
        nlohmann::json codecs = nlohmann::json::array();
        for (const Contender& contender : contenders) codecs.push_back(contender.result());
        results_.push_back({{"kind", kind}, {"what", what}, {"codecs", std::move(codecs)}});
    }

    Options options_;
    nlohmann::json results_ = nlohmann::json::array();
};

}  // namespace
}  // namespace freshet::bench

int main(int argc, char** argv) {
    CLI::App app("What encodings of stored values and of rows cost.");
    freshet::bench::Options options;
    app.add_option("--turns", options.turns)->check(CLI::PositiveNumber);
    app.add_option("--seconds", options.seconds, "a codec, a direction and a turn")->check(CLI::PositiveNumber);
    app.add_option("--kind", options.only_kind, "only this one, for profiles")
        ->check(CLI::IsMember(freshet::bench::kind_names()));
    app.add_option("--codec", options.only_codec, "only this one, for profiles");
    CLI11_PARSE(app, argc, argv);
    try {
        freshet::bench::Study(options).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "serialization: %s\n", error.what());
        return 1;
    }
    return 0;
}
