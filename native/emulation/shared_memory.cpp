#include "shared_memory.h"

#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace emulation {
namespace {

struct Range {
    char* start;
    size_t bytes;
};

std::set<void*> libraries;
std::vector<Range> variables;

/**
 * Names of static variables of functions start with _ZZ (and their guards with _ZGV). Those that other libraries could
 * share are refused, as AddressSanitizer puts no guards around them.
 */
void readSymbols(const std::vector<char>& file, char* base) {
    auto* header = reinterpret_cast<const Elf64_Ehdr*>(file.data());
    auto* sections = reinterpret_cast<const Elf64_Shdr*>(file.data() + header->e_shoff);
    for (int s = 0; s < header->e_shnum; s++) {
        if (sections[s].sh_type != SHT_SYMTAB) {
            continue;
        }
        const char* names = file.data() + sections[sections[s].sh_link].sh_offset;
        auto* symbols = reinterpret_cast<const Elf64_Sym*>(file.data() + sections[s].sh_offset);
        for (size_t i = 0; i < sections[s].sh_size / sizeof(Elf64_Sym); i++) {
            bool zeroed = symbols[i].st_shndx < header->e_shnum && sections[symbols[i].st_shndx].sh_type == SHT_NOBITS;
            if (zeroed && ELF64_ST_TYPE(symbols[i].st_info) == STT_OBJECT
                && std::strncmp(names + symbols[i].st_name, "_ZZ", 3) == 0) {
                if (ELF64_ST_BIND(symbols[i].st_info) != STB_LOCAL) {
                    throw std::runtime_error(std::string("emulation: ") + (names + symbols[i].st_name)
                                             + ": shared memory without guards (expected: in a static function)");
                }
                variables.push_back({base + symbols[i].st_value, symbols[i].st_size});
            }
        }
    }
}

} // namespace

void findSharedMemory(const void* code) {
    Dl_info library;
    if (dladdr(code, &library) == 0 || !libraries.insert(library.dli_fbase).second) {
        return;
    }
    std::string path = library.dli_fname;
    std::ifstream stream(path, std::ios::binary);
    std::vector<char> file((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (file.size() < sizeof(Elf64_Ehdr)) {
        throw std::runtime_error("emulation: " + path + ": cannot be read (expected: the library, for its symbols)");
    }
    readSymbols(file, static_cast<char*>(library.dli_fbase));
}

void fillSharedMemory() {
    for (auto& variable : variables) {
        std::memset(variable.start, 0xff, variable.bytes);
    }
}

} // namespace emulation
