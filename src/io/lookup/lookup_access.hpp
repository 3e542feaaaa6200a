// Who may read what: users, their passwords and their views. Without users everyone may read everything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/config/config.hpp"
#include "io/lookup/lookup_catalogue.hpp"

namespace freshet {

class LookupAccess {
public:
    struct Account {
        std::string name;
        std::string password_sha256;
        std::vector<bool> views;  // by ServedView::index
        bool all = false;         // of them
    };

    LookupAccess(const std::vector<LookupUser>& users, const LookupCatalogue& catalogue);

    bool open() const { return accounts_.empty(); }
    // Null: there is no such user, or it has another password.
    const Account* authenticate(std::string_view name, std::string_view password) const;

    // Null: there is no such user.
    const Account* find(std::string_view name) const;

    // `account` is null for a client that has not told who it is.
    bool may_read(const Account* account, const ServedView& view) const {
        return open() || (account && account->views[view.index]);
    }
    bool may_read_all(const Account* account) const { return open() || (account && account->all); }

private:
    std::vector<Account> accounts_;
};

}  // namespace freshet
