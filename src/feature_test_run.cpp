#include "feature_test_run.hpp"

#include <algorithm>
#include <cmath>

#include "command_support.hpp"
#include "feature_test_arrivals.hpp"

namespace freshet {

namespace {

constexpr std::size_t kMostEventsShown = 8;

bool matches(const Expectation& expectation, const Scalar& expected, const Scalar& got) {
    const double* want = std::get_if<double>(&expected);
    const double* have = std::get_if<double>(&got);
    if (!want || !have) return expected == got;
    const double distance = std::fabs(*have - *want);
    return distance <= expectation.tolerance * std::fabs(*want) || distance <= expectation.absolute_tolerance;
}

ValueStatus status_of(const FeatureAnswer& answer, std::size_t feature) {
    if (answer.missing) return ValueStatus::missing;
    return answer.values[feature].overflow ? ValueStatus::overflow : ValueStatus::ok;
}

class Judge {
public:
    Judge(const Definitions& definitions, const FeatureTest& test)
        : definitions_(definitions), test_(test), evaluation_(definitions, {}) {}

    Result<FeatureVerdict> run() {
        auto events = arriving_events(definitions_, test_);
        if (!events) return events.error();
        events_ = *std::move(events);
        std::vector<std::vector<FeatureFailure>> failures(test_.expect.size());
        for (const std::size_t index : by_time()) {
            const Expectation& expectation = test_.expect[index];
            feed_until(expectation.at);
            failures_ = &failures[index];
            judge(expectation);
        }
        feed_until(std::nullopt);
        FeatureVerdict verdict;
        for (auto& some : failures) std::ranges::move(some, std::back_inserter(verdict.failures));
        failures_ = &verdict.failures;
        if (auto judged = judge_refusals(); !judged) return judged.error();
        verdict.late = evaluation_.late();
        return verdict;
    }

private:
    struct Refused {
        std::size_t event;  // index into events_
        Rejection rejection;
        bool expected = false;
    };

    std::vector<std::size_t> by_time() const {
        std::vector<std::size_t> order(test_.expect.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::ranges::stable_sort(order, {},
                                 [&](std::size_t i) { return test_.expect[i].at.value_or(Timestamp::max()); });
        return order;
    }

    // None: all.
    void feed_until(std::optional<Timestamp> time) {
        std::vector<Evaluation::Refused> refused;
        for (; fed_ < events_.size() && (!time || events_[fed_].arrival <= *time); ++fed_) {
            const ArrivingEvent& event = events_[fed_];
            // Offsets rise, since they were given in this order.
            (void)evaluation_.add(definitions_.sources[event.source].topic, event.partition,
                                  {event.offset, event.timestamp, {}, event.value}, refused);
            for (auto& one : refused) refused_.push_back({fed_, std::move(one.rejection)});
            refused.clear();
        }
        evaluation_.finish();
    }

    void judge(const Expectation& expectation) {
        const auto at = expectation.at ? expectation.at : evaluation_.clock(expectation.view);
        const auto earliest = evaluation_.earliest(expectation.view);
        if (at && earliest && *at < *earliest) {
            FeatureFailure& failure = fail(expectation, expectation.place, at);
            failure.expected = utc_text(*at);
            failure.got = utc_text(*earliest);
            failure.note = "the earliest time that the view can be asked for then";
            return;
        }
        const FeatureAnswer answer = evaluation_.read(expectation.view, expectation.entity, at);
        if (expectation.missing && !answer.missing) {
            FeatureFailure& failure = fail(expectation, expectation.place, at);
            failure.expected = "missing";
            failure.got = "there";
        }
        for (const ExpectedValue& expected : expectation.values) {
            const FeatureValue& got = answer.values[expected.feature];
            const ValueStatus status = status_of(answer, expected.feature);
            if (!got.overflow && matches(expectation, expected.value, got.value)) continue;
            if (got.overflow && expected.value.index() == 0) continue;
            FeatureFailure& failure = fail(expectation, expected.place, at, expected.feature);
            failure.expected = json_of(expected.value);
            failure.got = got.overflow ? nlohmann::ordered_json(nullptr) : json_of(got.value);
            if (status != ValueStatus::ok) failure.note = name_of(status);
        }
        for (const ExpectedStatus& expected : expectation.statuses) {
            const ValueStatus status = status_of(answer, expected.feature);
            if (status == expected.status) continue;
            FeatureFailure& failure = fail(expectation, expected.place, at, expected.feature);
            failure.expected = name_of(expected.status);
            failure.got = name_of(status);
        }
    }

    FeatureFailure& fail(const Expectation& expectation, const ConfigPlace& place, std::optional<Timestamp> at,
                         std::optional<std::size_t> feature = {}) {
        const View& view = definitions_.views[expectation.view];
        FeatureFailure& failure = failures_->emplace_back();
        failure.place = place.text();
        failure.view = view.name;
        failure.entity = expectation.entity;
        failure.at = at;
        if (!feature) return failure;
        failure.feature = view.features[*feature].name;
        if (!at) return failure;
        const auto counted = events_in_window(definitions_, view, view.features[*feature], expectation.entity,
                                              *at, std::span(events_).first(fed_));
        failure.counted = counted.size();
        if (counted.size() > kMostEventsShown) return failure;
        for (const std::size_t index : counted)
            failure.events.push_back(events_[index].place + ": " + events_[index].value.value_or(""));
        return failure;
    }

    FeatureFailure& fail(const std::string& place, std::size_t source, std::size_t number) {
        FeatureFailure& failure = failures_->emplace_back();
        failure.place = place;
        failure.source = definitions_.sources[source].name;
        failure.event = number;
        return failure;
    }

    Result<void> judge_refusals() {
        for (const ExpectedRefusal& expected : test_.refused) {
            const auto event = std::ranges::find_if(events_, [&](const ArrivingEvent& one) {
                return one.source == expected.source && one.number == expected.number;
            });
            if (event == events_.end())
                return Error{Errc::invalid_argument, expected.place.text() + ": source " +
                                                         definitions_.sources[expected.source].name +
                                                         " has no event " + std::to_string(expected.number) +
                                                         " in this test; count from 1"};
            judge_refusal(expected, static_cast<std::size_t>(event - events_.begin()));
        }
        for (const Refused& refused : refused_) {
            if (refused.expected) continue;
            const ArrivingEvent& event = events_[refused.event];
            FeatureFailure& failure = fail(event.place, event.source, event.number);
            failure.expected = "counted";
            failure.got = name_of(refused.rejection.letter.reason);
            failure.note = refused.rejection.letter.message;
        }
        return {};
    }

    void judge_refusal(const ExpectedRefusal& expected, std::size_t event) {
        std::string reasons;
        bool found = false;
        for (Refused& refused : refused_) {
            if (refused.event != event) continue;
            const DeadLetterReason reason = refused.rejection.letter.reason;
            reasons += (reasons.empty() ? "" : ", ") + std::string(name_of(reason));
            found = found || reason == expected.reason;
            refused.expected = true;  // for another reason: told below
        }
        if (found) return;
        FeatureFailure& failure = fail(expected.place.text(), expected.source, expected.number);
        failure.expected = name_of(expected.reason);
        failure.got = reasons.empty() ? "counted" : reasons;
    }

    const Definitions& definitions_;
    const FeatureTest& test_;
    Evaluation evaluation_;
    std::vector<ArrivingEvent> events_;
    std::size_t fed_ = 0;
    std::vector<Refused> refused_;
    std::vector<FeatureFailure>* failures_ = nullptr;
};

}  // namespace

Result<FeatureVerdict> judge(const Definitions& definitions, const FeatureTest& test) {
    return Judge(definitions, test).run();
}

}  // namespace freshet
