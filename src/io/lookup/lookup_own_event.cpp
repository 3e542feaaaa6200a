// An event of the caller's own in a request: whose it is, and how it comes into the rows of its entity.
#include "io/lookup/lookup_engine.hpp"
#include "io/redis/resp_writer.hpp"

namespace freshet {

namespace {

bool asks_for(const LookupQuery& query, std::string_view entity) {
    for (std::size_t i = 0; i < query.entities(); ++i)
        if (query.entity(i) == entity) return true;
    return false;
}

std::string of_no_row(const LookupRequest& request, const LookupQuery& part, std::string_view entity) {
    const std::string whose = "WITH: an event of '" + shown(entity) + "'";
    if (request.kind == LookupRequest::Kind::get) return whose + ", not of '" + shown(part.entity(0)) + "'";
    return whose + " (" + part.view->name() + "), which no row asks for; give it the entity columns of a row";
}

}  // namespace

bool LookupEngine::take_own_event(LookupRequest& request, std::span<LookupRequest* const> parts,
                                  std::string_view json) {
    bool asked_for = false;
    const LookupRequest* counting = nullptr;
    for (LookupRequest* part : parts) {
        const ServedView& view = *part->query.view;
        auto& decoder = own_events_[view.index];
        if (!decoder) decoder = std::make_unique<OwnEventDecoder>(view);
        auto event = decoder->decode(json);
        if (!event) {
            fail(request, "BADARG", "WITH: " + event.error().message);
            return false;
        }
        if (!event->counts()) continue;
        asked_for = asks_for(part->query, event->entity()) || asked_for;
        part->own_event = std::move(*event);
        counting = part;
    }
    if (!counting || asked_for) return true;
    fail(request, "BADARG", of_no_row(request, counting->query, counting->own_event->entity()));
    return false;
}

bool LookupEngine::takes_own_event(const LookupRequest& request, std::size_t row) {
    return request.own_event && request.own_event->entity() == request.query.entity(row);
}

void LookupEngine::add_own_event(const LookupRequest& request, std::size_t row, const ReadMoment& moment) {
    const ServedView& view = *request.query.view;
    if (moment.at && takes_own_event(request, row))
        readers_[view.index]->add(request.own_event->head(view.plan, *moment.at));
}

}  // namespace freshet
