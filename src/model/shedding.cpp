#include "model/shedding.hpp"

#include <algorithm>

namespace freshet {

namespace {

bool is_low(const std::shared_ptr<const ViewPlan>& plan) { return plan->view().priority == Priority::low; }

std::int64_t sum(std::span<const TurnLook> looks, std::int64_t TurnLook::*of) {
    std::int64_t all = 0;
    for (const TurnLook& look : looks) all += look.*of;
    return all;
}

}  // namespace

ShedJudge::Terms ShedJudge::terms_of(std::span<const std::shared_ptr<const ViewPlan>> views,
                                     std::int64_t backlog, Duration shed_after, Duration resume_after) {
    Terms terms{{}, backlog, shed_after, resume_after};
    if (std::ranges::none_of(views, is_low)) return terms;
    for (const auto& plan : views) {
        const auto most = is_low(plan) ? std::nullopt : tightest_staleness(plan->view());
        if (most) terms.max_staleness = std::min(terms.max_staleness.value_or(*most), *most);
    }
    return terms;
}

std::vector<bool> sheddable(std::span<const std::shared_ptr<const ViewPlan>> views) {
    const bool any = ShedJudge::terms_of(views, 0, {}, {}).max_staleness.has_value();
    std::vector<bool> those;
    for (const auto& plan : views) those.push_back(any && is_low(plan));
    return those;
}

bool ShedJudge::take(SteadyTime at, std::span<const TurnLook> looks, bool all) {
    if (!terms_.max_staleness || looks.empty()) return false;
    if (!(sheds_ ? keeps_limit(at, looks, all) : backlog_stands(at, looks))) return false;
    sheds_ ? void(resumed_at_ = at) : shed(at);
    sheds_ = !sheds_;
    before_.reset();
    part_.reset();
    kept_since_.reset();
    return true;
}

void ShedJudge::shed(SteadyTime at) {
    const bool soon = resumed_at_ && at - *resumed_at_ < 2 * resume_after_;
    resume_after_ =
        soon ? std::min(2 * resume_after_, std::max(kLongest, terms_.resume_after)) : terms_.resume_after;
}

// Late with a backlog all the time, of which some is stored and which becomes no less from one half to the
// other: one that shrinks is being caught up with, and one of which nothing is stored waits for something else.
bool ShedJudge::backlog_stands(SteadyTime at, std::span<const TurnLook> looks) {
    const auto is_backlog = [&](const TurnLook& look) { return late(look) && look.to_come >= terms_.backlog; };
    if (std::ranges::none_of(looks, is_backlog)) {
        before_.reset();
        part_.reset();
        return false;
    }
    const std::int64_t to_come = sum(looks, &TurnLook::to_come), stored = sum(looks, &TurnLook::stored);
    if (!part_) part_ = Part{at, to_come, stored, stored};
    part_->least = std::min(part_->least, to_come);
    part_->stored = stored;
    if (at - part_->begin < terms_.shed_after / 2) return false;
    const bool stands = before_ && before_->goes_on() && part_->goes_on() && part_->least >= before_->least;
    before_ = part_;
    part_ = Part{at, to_come, stored, stored};
    return stands;
}

bool ShedJudge::keeps_limit(SteadyTime at, std::span<const TurnLook> looks, bool all) {
    if (!all || !std::ranges::all_of(looks, [&](const TurnLook& look) { return look.known && !late(look); })) {
        kept_since_.reset();
        return false;
    }
    if (!kept_since_) kept_since_ = at;
    return at - *kept_since_ >= resume_after_;
}

}  // namespace freshet
