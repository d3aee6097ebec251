// The JSON names of activation statistics and of calibration sets. Private to records.
#pragma once

#include "records/activations.h"
#include "records/calibration.h"
#include "records/fields.h"

namespace assay {

template <class Visitor, RecordOf<ActivationOutlier> R>
void fields(Visitor& visit, R& r) {
    visit("channel", r.channel);
    visit("max", r.max);
    visit("energy_share", r.energy_share);
    visit("windows", r.windows);
    visit("token_windows", r.token_windows);
}

template <class Visitor, RecordOf<MassiveActivation> R>
void fields(Visitor& visit, R& r) {
    visit("window", r.window);
    visit("position", r.position);
    visit("channel", r.channel);
    visit("value", r.value);
}

template <class Visitor, RecordOf<ActivationSide> R>
void fields(Visitor& visit, R& r) {
    visit("rows", r.rows);
    visit("channels", r.channels);
    visit("max", r.max);
    visit("mean_abs", r.mean_abs);
    visit("mean", r.mean);
    visit("std", r.std);
    visit("kurtosis", r.kurtosis);
    visit("ratio", r.ratio);
    visit("mean_channel_max", r.mean_channel_max);
    visit("outlier_channels", r.outlier_channels);
    visit("outlier_energy_share", r.outlier_energy_share);
    visit("persistent_channels", r.persistent_channels);
    visit("windows", r.windows);
    visit("f16_headroom", r.f16_headroom);
    visit("massive_tokens", r.massive_tokens);
    visit("massive_windows", r.massive_windows);
    visit("massive_first_tokens", r.massive_first_tokens);
    visit("outliers", r.outliers);
    visit("massive", r.massive);
    visit("alerts", r.alerts);
    visit("map", r.map);
}

template <class Visitor, RecordOf<ActivationsLinear> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("block", r.block);
    visit("projection", r.projection);
    visit("shares_input_with", r.shares_input_with);
    visit("input", r.input);
    visit("output", r.output);
    visit.if_present("embedding", r.embedding);
}

template <class Visitor, RecordOf<ActivationsResult> R>
void fields(Visitor& visit, R& r) {
    visit("windows", r.windows);
    visit("tokens", r.tokens);
    visit("linears", r.linears);
}

template <class Visitor, RecordOf<CalibrationSource> R>
void fields(Visitor& visit, R& r) {
    visit("name", r.name);
    visit("sha256", r.sha256);
    visit("bytes", r.bytes);
    visit("documents", r.documents);
}

template <class Visitor, RecordOf<CalibrationWarningRecord> R>
void fields(Visitor& visit, R& r) {
    visit("kind", r.kind);
    visit("text", r.text);
}

template <class Visitor, RecordOf<CalibrationRecord> R>
void fields(Visitor& visit, R& r) {
    visit("set", r.set);
    visit("sources", r.sources);
    visit("seed", r.seed);
    visit("samples", r.samples);
    visit("samples_asked", r.samples_asked);
    visit("length", r.length);
    visit("length_asked", r.length_asked);
    visit("windows_sha256", r.windows_sha256);
    visit("bos_per_window", r.bos_per_window);
    visit("documents_read", r.documents_read);
    visit("repeated_documents", r.repeated_documents);
    visit("joined_windows", r.joined_windows);
    visit("repeated_share", r.repeated_share);
    visit("overlap_share", r.overlap_share);
    visit("warnings", r.warnings);
}

}  // namespace assay
