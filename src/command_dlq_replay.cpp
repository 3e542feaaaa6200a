#include <unistd.h>

#include <iostream>
#include <set>

#include "command_support.hpp"
#include "commands.hpp"
#include "dlq_request.hpp"
#include "letter_replay.hpp"
#include "stop_signal.hpp"

namespace freshet {

namespace {

using Plan = LetterLedger::Plan;

struct Boxed {
    std::unique_ptr<LetterBox> box;
    Plan plan;
};

Result<std::vector<Boxed>> open_boxes(const DlqRequest& request) {
    std::set<std::string> topics;
    for (const Source* source : request.sources) topics.insert(source->topic);
    std::vector<Boxed> all;
    for (const std::string& topic : request.boxes()) {
        auto box = LetterBox::open(request.kafka, topic);
        if (!box) return box.error();
        warn_of_strange(**box);
        if (request.filter.place)
            if (auto held = (*box)->holds(*request.filter.place); !held) return held.error();
        Plan plan = (*box)->ledger().plan(request.filter, topics);
        all.push_back({*std::move(box), std::move(plan)});
    }
    return all;
}

std::size_t count_of(const std::vector<Boxed>& boxes) {
    std::size_t count = 0;
    for (const Boxed& boxed : boxes) count += boxed.plan.places.size();
    return count;
}

void print_left(std::size_t count, const std::string& why) {
    if (count > 0) std::cout << "  left: " << count << " " << why << "\n";
}

// What will be sent, and what not, with the reason.
void print_plan(const Boxed& boxed) {
    const Plan& plan = boxed.plan;
    std::cout << boxed.box->topic() << ": " << plan.places.size() << " to send\n";
    for (const auto& [key, count] : plan.events)
        std::cout << "  " << count << " " << printable(key.second) << " to " << printable(key.first) << "\n";
    print_left(plan.replayed, "replayed before");
    print_left(plan.repeated, "further letters of the same events");
    print_left(plan.of_views,
               "of single views: the events count in other views, and would count there twice (--reason "
               "no_entity, or a place, takes them all the same)");
    print_left(plan.unknown, "from topics that no source of the configuration reads");
}

bool confirmed(std::size_t count) {
    std::cout << "send " << count << " events again? [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

Result<void> send_boxes(LetterReplay& replay, const DlqRequest& request, const std::vector<Boxed>& boxes) {
    for (const Boxed& boxed : boxes)
        if (auto sent = replay.send(*boxed.box, boxed.plan.places, request.sources); !sent) return sent;
    return {};
}

// Those of `now` that were in `before`, of the same topics: what came since was not asked about.
void keep_planned(std::vector<Boxed>& now, const std::vector<Boxed>& before) {
    for (std::size_t i = 0; i < now.size(); ++i) {
        const auto& planned = before[i].plan.places;
        std::erase_if(now[i].plan.places, [&](const LetterPlace& place) { return !planned.contains(place); });
    }
}

Result<void> send_all(LetterReplay& replay, const DlqRequest& request, const std::vector<Boxed>& planned) {
    auto boxes = open_boxes(request);
    if (!boxes) return boxes.error();
    keep_planned(*boxes, planned);
    return send_boxes(replay, request, *boxes);
}

int replay_letters(const DlqRequest& request, const std::vector<Boxed>& planned) {
    StopSignal stop;
    // Before the boxes are read again, so that they show all that an earlier replay did.
    const auto replay = LetterReplay::open(request.kafka, [&stop] { return stop.requested(); });
    if (!replay) return failed(replay.error(), dlq_status(replay.error()));
    const auto sent = send_all(**replay, request, planned);
    std::cout << "sent " << (*replay)->sent() << " of " << count_of(planned) << " events" << std::endl;
    if (!sent)
        return failed(sent.error().within("not all were sent; the same command sends the rest"), kFailed);
    if (const auto& refusal = (*replay)->first_refusal())
        return failed({refusal->code, std::to_string((*replay)->refused()) +
                                          " were refused by Kafka; raise max.message.bytes of the topic, or "
                                          "message.max.bytes in kafka.properties, and repeat the command; the "
                                          "first: " +
                                          refusal->message},
                      kFailed);
    return kDone;
}

}  // namespace

int command_dlq_replay(const DlqOptions& options) {
    const auto request = dlq_request(options);
    if (!request) return failed(request.error(), kUsage);
    const bool ask = !options.yes && !options.dry_run;
    if (ask && isatty(STDIN_FILENO) == 0)
        return failed({Errc::invalid_argument,
                       "nobody can be asked, since standard input is no terminal; see what --dry-run says, "
                       "then add --yes"},
                      kUsage);
    const auto planned = open_boxes(**request);
    if (!planned) return failed(planned.error(), dlq_status(planned.error()));
    for (const Boxed& boxed : *planned) print_plan(boxed);
    const std::size_t count = count_of(*planned);
    if (options.dry_run || count == 0) {
        std::cout << (options.dry_run ? "nothing was sent (--dry-run)\n" : "nothing to send\n");
        return kDone;
    }
    if (ask && !confirmed(count)) return failed({Errc::invalid_argument, "nothing was sent"}, kFailed);
    return replay_letters(**request, *planned);
}

}  // namespace freshet
