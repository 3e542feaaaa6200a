// LD_PRELOAD: the wall clock of a process is FRESHET_CLOCK_SHIFT seconds ahead, or behind where that is
// negative. What was to end at a time of that clock ends when the real one is there. The kernel is asked
// itself, and nothing is allocated: an allocator may ask for the time before the program has begun.
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <initializer_list>

namespace {

// No steady clock of a machine is that far: that many seconds after its start it has run for 30 years.
constexpr time_t kWallTime = 1'000'000'000;

time_t shift() {
    static const time_t seconds = [] {
        const char* text = std::getenv("FRESHET_CLOCK_SHIFT");
        return text == nullptr ? 0 : static_cast<time_t>(std::atol(text));
    }();
    return seconds;
}

bool is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

// Conditions wait by one of two clocks, and do not tell which.
timespec real_time(const timespec& shifted) {
    timespec real = shifted;
    if (real.tv_sec > kWallTime) real.tv_sec -= shift();
    return real;
}

template <class Function>
Function* next(const char* name) {
    for (const char* version : {"GLIBC_2.3.2", "GLIBC_2.17"})
        if (void* found = dlvsym(RTLD_NEXT, name, version)) return reinterpret_cast<Function*>(found);
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
    const long status = syscall(SYS_clock_gettime, clock, time);
    if (status == 0 && is_wall(clock)) time->tv_sec += shift();
    return static_cast<int>(status);
}

int gettimeofday(timeval* time, void*) noexcept {
    timespec now;
    const int status = clock_gettime(CLOCK_REALTIME, &now);
    *time = {now.tv_sec, now.tv_nsec / 1000};
    return status;
}

time_t time(time_t* into) noexcept {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into != nullptr) *into = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(timespec* into, int base) noexcept {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, into) == 0 ? base : 0;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
    static auto* const real_wait = next<decltype(pthread_cond_timedwait)>("pthread_cond_timedwait");
    const timespec real = real_time(*until);
    return real_wait(condition, mutex, &real);
}

int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
    static auto* const real_wait = next<decltype(cnd_timedwait)>("cnd_timedwait");
    const timespec real = real_time(*until);
    return real_wait(condition, mutex, &real);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* until) {
    static auto* const real_wait = next<decltype(pthread_cond_clockwait)>("pthread_cond_clockwait");
    const timespec real = real_time(*until);
    return real_wait(condition, mutex, clock, &real);
}

int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) noexcept {
    static auto* const real_lock = next<decltype(pthread_mutex_timedlock)>("pthread_mutex_timedlock");
    const timespec real = real_time(*until);
    return real_lock(mutex, &real);
}

int sem_timedwait(sem_t* semaphore, const timespec* until) {
    static auto* const real_wait = next<decltype(sem_timedwait)>("sem_timedwait");
    const timespec real = real_time(*until);
    return real_wait(semaphore, &real);
}

}  // extern "C"
