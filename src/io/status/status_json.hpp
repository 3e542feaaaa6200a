// What /api answers, as JSON (docs/status-page.md).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/http/http_message.hpp"
#include "io/status/node_report.hpp"

namespace freshet {

// `may_read`: whether whoever asks may read a view; of others nothing is said. `gives_values`: whether
// /api/lookup answers.
std::string status_json(const NodeReport& report, const Definitions& definitions,
                        const std::function<bool(const View&)>& may_read, bool gives_values);

// Of replies in RESP2: to FS.GET view entity... META ENCODING json,
HttpResponse lookup_response(std::string_view reply, const std::string& view,
                             const std::vector<std::string>& entity);
// and to FS.EXPLAIN view entity... feature.
HttpResponse explain_response(std::string_view reply, const Definitions& definitions, const std::string& view,
                              const std::vector<std::string>& entity);

// {"error": {"code": ..., "message": ...}}
HttpResponse json_error(unsigned status, std::string_view code, std::string_view message);

}  // namespace freshet
