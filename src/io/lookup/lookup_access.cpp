#include "io/lookup/lookup_access.hpp"

#include <algorithm>

#include "io/sha256.hpp"

namespace freshet {

LookupAccess::LookupAccess(const std::vector<LookupUser>& users, const LookupCatalogue& catalogue) {
    for (const LookupUser& user : users) {
        Account& account = accounts_.emplace_back(Account{user.name, user.password_sha256, {}, true});
        for (const auto& view : catalogue.views()) {
            const bool granted = std::ranges::find(user.views, view->name()) != user.views.end();
            account.views.push_back(granted);
            account.all = account.all && granted;
        }
    }
}

const LookupAccess::Account* LookupAccess::find(std::string_view name) const {
    const auto found = std::ranges::find(accounts_, name, &Account::name);
    return found == accounts_.end() ? nullptr : &*found;
}

const LookupAccess::Account* LookupAccess::authenticate(std::string_view name,
                                                        std::string_view password) const {
    const std::string given = sha256(password);
    const Account* const found = find(name);
    return found && equal_in_constant_time(given, found->password_sha256) ? found : nullptr;
}

}  // namespace freshet
