// SPDX-License-Identifier: MIT
// thread_local objects of a library that a worker loads with dlopen while the others wait.
// UMCG_LOADED_MODULE is the path of that library, which the build makes of loaded_module.cpp.
#include <dlfcn.h>

#include "identity/migration.hpp"

namespace umcg::identity {
namespace {

constexpr int rounds = 20;

struct loaded_module {
  int* (*number)() = nullptr;
  const char* (*keep)(const char*) = nullptr;
  int (*destroyed)() = nullptr;
};

template <class Function>
void find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(::dlsym(library, name));
  ASSERT_NE(function, nullptr) << ::dlerror();
}

// Stays loaded: its destructors run when the workers' threads end.
void load(loaded_module& module) {
  void* const library = ::dlopen(UMCG_LOADED_MODULE, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << ::dlerror();
  find(library, "umcg_module_number", module.number);
  find(library, "umcg_module_keep", module.keep);
  find(library, "umcg_module_destroyed", module.destroyed);
}

void use(const loaded_module& module, int number, border& line) {
  int* const own = module.number();
  EXPECT_EQ(*own, -1);
  *own = number;
  std::string kept;
  for (int round = 0; round < rounds; ++round) {
    const std::string text = "worker " + std::to_string(number) + " in round " +
                             std::to_string(round) + " of the loaded module";
    EXPECT_EQ(module.keep(text.c_str()), kept);
    kept = text;
    line.cross();
    EXPECT_EQ(module.number(), own);
    EXPECT_EQ(*module.number(), number);
  }
}

TEST(loaded_module, KeepsThreadLocalObjectsApart) {
  loaded_module module;
  std::atomic<bool> loaded{false};
  run_migrating([&](int number, border& line) {
    for (int round = 0; round < number % 4; ++round) line.cross();
    if (number == 0) {
      load(module);
      loaded.store(true);
    }
    while (!loaded.load()) line.cross();
    if (module.destroyed != nullptr) use(module, number, line);
  });
  ASSERT_NE(module.destroyed, nullptr);
  EXPECT_EQ(module.destroyed(), workers);
}

}  // namespace
}  // namespace umcg::identity
