// One list of fields serves both directions: fields(visitor, record) names each member once, and a
// FieldWriter or a FieldReader walks the list. Private to records.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/interval.h"
#include "container/json.h"

namespace assay {

// R is T or const T.
template <class R, class T>
concept RecordOf = std::same_as<std::remove_const_t<R>, T>;

class FieldWriter {
  public:
    explicit FieldWriter(Json& object) : object_(object) {}

    // A field that is always there; null stands for an empty optional and for a number that is not finite.
    template <class T>
    void operator()(const char* name, const T& value) {
        object_[name] = json_of(value);
    }

    // A field that is left out where it is empty.
    template <class T>
    void if_present(const char* name, const std::optional<T>& value) {
        if (value) object_[name] = json_of(*value);
    }

    // A part whose fields stand among the parent's own; `key` is the one that tells whether the part is
    // there.
    template <class T>
    void flattened(const char* /*key*/, const std::optional<T>& part) {
        if (part) fields(*this, *part);
    }

  private:
    static Json json_of(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
    static Json json_of(std::int64_t value) { return value; }
    static Json json_of(bool value) { return value; }
    static Json json_of(const std::string& value) { return value; }
    static Json json_of(const Json& value) { return value; }
    static Json json_of(const Interval& value) {
        return Json::array({json_of(value.low), json_of(value.high)});
    }

    template <class T>
    static Json json_of(const std::optional<T>& value) {
        return value ? json_of(*value) : Json(nullptr);
    }

    template <class T>
    static Json json_of(const std::vector<T>& values) {
        Json array = Json::array();
        for (const T& value : values) array.push_back(json_of(value));
        return array;
    }

    template <class Record>
    static Json json_of(const Record& record) {
        Json object = Json::object();
        FieldWriter writer(object);
        fields(writer, record);
        return object;
    }

    Json& object_;
};

class FieldReader {
  public:
    // `path` names the object in errors; `object` must outlive the reader. Throws FormatError where it is not
    // one.
    FieldReader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
        if (!object_.is_object()) throw FormatError(path_ + " is not an object");
    }

    template <class T>
    void operator()(const char* name, T& value) {
        const auto member = object_.find(name);  // null is a value here: a number that is not finite
        if (member == object_.end()) throw FormatError(json_path(path_, name) + " is missing");
        read(*member, json_path(path_, name), value);
    }

    // An optional field may be missing: results written before the field existed stay readable.
    template <class T>
    void operator()(const char* name, std::optional<T>& value) {
        value.reset();
        if (const Json* member = optional_member(object_, name, path_))
            read(*member, json_path(path_, name), value.emplace());
    }

    template <class T>
    void if_present(const char* name, std::optional<T>& value) {
        (*this)(name, value);
    }

    template <class T>
    void flattened(const char* key, std::optional<T>& part) {
        part.reset();
        if (object_.contains(key)) fields(*this, part.emplace());
    }

  private:
    static void read(const Json& json, const std::string& path, double& value) {
        value = json.is_null() ? std::numeric_limits<double>::quiet_NaN() : as_number(json, path);
    }

    static void read(const Json& json, const std::string& path, std::int64_t& value) {
        value = as_int(json, path);
    }
    static void read(const Json& json, const std::string& path, bool& value) { value = as_bool(json, path); }
    static void read(const Json& json, const std::string& path, std::string& value) {
        value = as_string(json, path);
    }

    static void read(const Json& json, const std::string& path, Json& value) {
        if (!json.is_object()) throw FormatError(path + " is not an object");
        value = json;
    }

    static void read(const Json& json, const std::string& path, Interval& value) {
        if (!json.is_array() || json.size() != 2) throw FormatError(path + " is not an interval [low, high]");
        read(json[0], path, value.low);
        read(json[1], path, value.high);
    }

    template <class T>
    static void read(const Json& json, const std::string& path, std::vector<T>& values) {
        if (!json.is_array()) throw FormatError(path + " is not an array");
        values.clear();
        for (const Json& element : json) {
            const std::string element_path = path + "[" + std::to_string(values.size()) + "]";
            read(element, element_path, values.emplace_back());
        }
    }

    template <class Record>
    static void read(const Json& json, const std::string& path, Record& record) {
        FieldReader reader(json, path);
        fields(reader, record);
    }

    const Json& object_;
    std::string path_;
};

}  // namespace assay
