#include "supervisor/identity.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/units.h"

namespace dory::supervisor {

Result<uid_t> FindUser(const std::string& name) {
  if (name.empty()) return ::geteuid();
  if (const passwd* found = ::getpwnam(name.c_str())) return found->pw_uid;
  const Result<int64_t> number = ParseInteger(name);
  if (number.ok() && number.value() >= 0) return static_cast<uid_t>(number.value());
  return Status::Error("no user '" + name + "' on this host");
}

Result<gid_t> FindGroup(const std::string& name) {
  if (name.empty()) return ::getegid();
  if (const group* found = ::getgrnam(name.c_str())) return found->gr_gid;
  const Result<int64_t> number = ParseInteger(name);
  if (number.ok() && number.value() >= 0) return static_cast<gid_t>(number.value());
  return Status::Error("no group '" + name + "' on this host");
}

Result<Identity> ChooseIdentity(const std::string& user, const std::string& group) {
  const Result<uid_t> uid = FindUser(user);
  if (!uid.ok()) return uid.status().Context("[dory] user");
  Result<gid_t> gid = FindGroup(group);
  if (!gid.ok()) return gid.status().Context("[dory] group");
  const passwd* const entry = user.empty() ? nullptr : ::getpwuid(uid.value());
  if (group.empty() && entry != nullptr) gid = entry->pw_gid;
  const bool ours = uid.value() == ::geteuid() && gid.value() == ::getegid();
  if (!ours && ::geteuid() != 0) {
    return Status::Error("[dory] user and group: only root can become somebody else");
  }
  return Identity{uid.value(), gid.value(), ours ? "" : user};
}

Status BecomeIdentity(const Identity& identity) {
  if (identity.uid == ::geteuid() && identity.gid == ::getegid()) return Status::Ok();
  const char* const name = identity.user.empty() ? nullptr : identity.user.c_str();
  const int groups = name != nullptr ? ::initgroups(name, identity.gid) : ::setgroups(0, nullptr);
  if (groups != 0) return Status::Errno("setting the groups");
  if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) return Status::Errno("setresgid");
  if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) return Status::Errno("setresuid");
  ::prctl(PR_SET_DUMPABLE, 1);  // else /proc/self, by which the segment is mapped, is root's
  return Status::Ok();
}

}  // namespace dory::supervisor
